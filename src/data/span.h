/* Sizes of span corruption. Private to data. */
#ifndef TUTTI_DATA_SPAN_H
#define TUTTI_DATA_SPAN_H

/* Tokens that are masked and spans that they form in a text of n tokens; at most max_spans. */
void tt_span_plan(int n, double rate, double mean, int max_spans, int *noise, int *spans);
/* The longest text that gives at most max_source and max_target tokens, end tokens included; at least 1. */
int tt_span_fit(int n, double rate, double mean, int max_spans, int max_source, int max_target);

#endif
