/* tutti: instruction fine-tuning of language models on CPU clusters, under MPI.
 *
 * Reading order, lowest layer first; includes go downward only (tests/layers.sh):
 *
 *   base.h     errors, log, arena, random streams          kern.h    kernels on plain arrays
 *   conf.h     YAML, the key table, the job                 comm.h    mesh, collectives, agreement
 *   tensor.h   tensors, tape, ops, parameter table          store.h   safetensors, HDF5 checkpoints
 *   optim.h    exact sum, AdamW, Adafactor, schedules       data.h    tokenizers, sources, mixture, batches
 *   model.h    T5, generation                               eval.h    metrics
 *   train.h    one step, the loop                           cli.h     the verbs
 *
 * Letters, the same everywhere:
 *   B batch (examples)      S source length     T target length      D model width
 *   H heads                 K head width        F ffn width          V vocabulary
 *   R rows (tokens) of a ragged batch           L layers             G grains
 * A rank's share of a global extent carries l: Fl = F / tp. Matrices are row-major; a linear weight is [out, in].
 * Element counts are int64_t, bytes size_t. */
#ifndef TUTTI_H
#define TUTTI_H

#include "tutti/base.h"
#include "tutti/conf.h"
#include "tutti/kern.h"
#include "tutti/comm.h"
#include "tutti/tensor.h"
#include "tutti/store.h"
#include "tutti/optim.h"
#include "tutti/data.h"
#include "tutti/model.h"
#include "tutti/eval.h"
#include "tutti/train.h"
#include "tutti/cli.h"

#endif
