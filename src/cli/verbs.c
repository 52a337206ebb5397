/* The verb table. */
#include "tutti/cli.h"

const tt_verb tt_verbs[] = {
    {"tokenize", "tokenize tokenizer=DIR [special=1|0] [in=FILE.jsonl]", "text to token ids, one JSON line each", false,
     tt_verb_tokenize},
    {"generate", "generate model=PATH [tokenizer=DIR] [in=FILE.jsonl] [prompt=TEXT] [max_new_tokens=N]",
     "answers to prompts, by greedy decoding", false, tt_verb_generate},
    {"probe", "probe model=PATH batch=FILE.safetensors out=FILE.safetensors [grads=1]",
     "logits, losses and gradients of given token ids", false, tt_verb_probe},
    {"help", "help [verb]", "what tutti can do; help train: every key of a job", false, tt_verb_help},
    {"synth", "synth out=FOLDER [key=value ...]", "write a made-up collection of instruction data sets", false,
     tt_verb_synth},
    {0},
};
