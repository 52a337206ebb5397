/* The verb table. */
#include "tutti/cli.h"

const tt_verb tt_verbs[] = {
    {"tokenize", "tokenize tokenizer=DIR [special=1|0] [in=FILE.jsonl]", "text to token ids, one JSON line each", false,
     tt_verb_tokenize},
    {"help", "help [verb]", "what tutti can do; help train: every key of a job", false, tt_verb_help},
    {"doctor", "doctor", "what this machine has, what is wrong with it and how to mend that", false, tt_verb_doctor},
    {"synth", "synth out=FOLDER [key=value ...]", "write a made-up collection of instruction data sets", false,
     tt_verb_synth},
    {0},
};
