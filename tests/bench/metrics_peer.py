"""The programs whose numbers tutti's metrics give, on the same examples. For tutti bench metrics.

usage: metrics_peer.py FILE.jsonl     a prediction and a reference a line; after a blank line, labels: [reference, prediction] a line
The last line of its output: processor seconds, of those that are installed:
{"rouge": all four kinds, "rouge_flat": without Lsum, "bleu": corpus BLEU, "matthews", "f1": 100,000 resamples, "rouge_main", "bleu_main": the values,
"matthews_main", "f1_main": the errors of the first 1000 resamples}
"""
import json
import random
import resource
import statistics
import sys

TIMES, RESAMPLES, TIMED = 3, 100000, 1000


def seconds(work):
    def used():
        u = resource.getrusage(resource.RUSAGE_SELF)
        return u.ru_utime + u.ru_stime
    best = None
    for _ in range(TIMES):
        start = used()
        value = work()
        s = used() - start
        best = s if best is None else min(s, best)
    return best, value


def read(path):
    with open(path, encoding="utf-8", newline="\n") as f:
        texts, labels = f.read().split("\n\n")
    texts = [json.loads(x) for x in texts.split("\n") if x]
    labels = [tuple(json.loads(x)) for x in labels.split("\n") if x]
    return [x["prediction"] for x in texts], [x["reference"] for x in texts], labels


def rouge(out, guess, target):
    from rouge_score import rouge_scorer

    def score(kinds):
        scorer = rouge_scorer.RougeScorer(kinds, use_stemmer=True)
        return sum(scorer.score(t, g)["rouge1"].fmeasure for t, g in zip(target, guess)) / len(guess)
    flat = ["rouge1", "rouge2", "rougeL"]
    out["rouge_flat"], _ = seconds(lambda: score(flat))
    out["rouge"], out["rouge_main"] = seconds(lambda: score(flat + ["rougeLsum"]))


def bleu(out, guess, target):
    import sacrebleu
    out["bleu"], out["bleu_main"] = seconds(lambda: sacrebleu.BLEU().corpus_score(guess, [target]).score)


def bootstrap(out, labels):
    """As lm-evaluation-harness: a chunk of 1000 resamples is drawn by random.Random(chunk)."""
    from sklearn.metrics import f1_score, matthews_corrcoef

    def resample(metric):
        draw = random.Random(0)
        return [metric(*zip(*draw.choices(labels, k=len(labels)))) for _ in range(TIMED)]
    for name, metric in (("matthews", matthews_corrcoef), ("f1", f1_score)):
        used, values = seconds(lambda m=metric: resample(m))
        out[name], out[name + "_main"] = used * RESAMPLES / TIMED, statistics.stdev(map(float, values))


def main():
    out, (guess, target, labels) = {}, read(sys.argv[1])
    for work in (lambda: rouge(out, guess, target), lambda: bleu(out, guess, target), lambda: bootstrap(out, labels)):
        try:
            work()
        except ImportError as e:
            print(e, file=sys.stderr)
    print(json.dumps(out))


main()
