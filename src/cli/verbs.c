/* The verb table. */
#include "tutti/cli.h"

const tt_verb tt_verbs[] = {
    {"train", "train job.yaml [key=value ...]", "fine-tune or pre-train as the job says; resumes by itself", true,
     tt_verb_train},
    {"prepare", "prepare job.yaml [verify=1] [rehash=1] [prune=1] [key=value ...]",
     "tokenize a job's data sets once, into the folder data.store", true, tt_verb_prepare},
    {"audit", "audit job.yaml|run=DIR [show=N] [out=DIR] [key=value ...]",
     "what a job's data come to and what is wrong with them; after a run: what it drew", true, tt_verb_audit},
    {"tokenize", "tokenize tokenizer=DIR [special=1|0] [in=FILE.jsonl]", "text to token ids, one JSON line each", false,
     tt_verb_tokenize},
    {"generate", "generate model=PATH [prompt=TEXT] [in=FILE.jsonl] [key=value ...]", "answer prompts with a model",
     false, tt_verb_generate},
    {"probe", "probe model=PATH batch=FILE.safetensors out=FILE.safetensors [grads=1]",
     "logits, losses and gradients of given token ids", false, tt_verb_probe},
    {"inspect", "inspect CHECKPOINT|RUN|FOLDER|COLUMNS", "table of contents; last line: the hash of the weights", false,
     tt_verb_inspect},
    {"import", "import FOLDER out=FILE.h5", "Hugging Face folder to checkpoint", false, tt_verb_import},
    {"export", "export CHECKPOINT|RUN out=FOLDER [dtype=f32|bf16|f16] [tokenizer=DIR] [shard=BYTES]",
     "checkpoint to Hugging Face folder", false, tt_verb_export},
    {"synth", "synth out=FOLDER [key=value ...]", "write a made-up collection of instruction data sets", false,
     tt_verb_synth},
    {"bench", "bench [peer=torch_t5.py] [json=FILE] [key=value ...]",
     "time a training step of T5 1.1 small, kernel by kernel", true, tt_verb_bench},
    {"doctor", "doctor", "what this machine has, what is wrong with it and how to mend that", false, tt_verb_doctor},
    {"help", "help [verb]", "what tutti can do; help train: every key of a job", false, tt_verb_help},
    {0},
};
