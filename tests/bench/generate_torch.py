"""Greedy decoding of T5 1.1 in eager PyTorch, as a user would have it: the encoder once, keys and values cached. For tutti bench generate.

usage: generate_torch.py FOLDER     config.json, model.safetensors and work.json: {"new": N, "times": n, "batches": [[[id ...] ...] ...]}
The last line of its output: {"torch": version, "batches": [{"seconds": best processor seconds, "ids": [[...] ...]} ...]}
"""
import json
import math
import os
import struct
import sys
import time

import torch
import torch.nn.functional as F

torch.set_num_threads(1)
FOLDER = sys.argv[1]


def read_json(name):
    with open(os.path.join(FOLDER, name)) as f:
        return json.load(f)


def read_weights(path):
    """safetensors: header length, header, data; all are F32 here."""
    with open(path, "rb") as f:
        data = bytearray(f.read())
    n = struct.unpack("<Q", data[:8])[0]
    flat = torch.frombuffer(data, dtype=torch.uint8, offset=8 + n)
    out = {}
    for name, x in json.loads(data[8:8 + n]).items():
        if name != "__metadata__":
            lo, hi = x["data_offsets"]
            out[name] = flat[lo:hi].clone().view(torch.float32).view(x["shape"])
    return out


C = read_json("config.json")
W = read_weights(os.path.join(FOLDER, "model.safetensors"))
L, LD, H, K = C["num_layers"], C.get("num_decoder_layers") or C["num_layers"], C["num_heads"], C["d_kv"]
EPS, START = C["layer_norm_epsilon"], C["decoder_start_token_id"]
BUCKETS, DISTANCE = C["relative_attention_num_buckets"], C["relative_attention_max_distance"]


def norm(x, w):
    return w * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS))


def heads(x, w):
    """[B,T,D] -> [B,H,T,K]"""
    B, T, _ = x.shape
    return F.linear(x, w).view(B, T, H, K).transpose(1, 2)


def attend(q, k, v, bias, w):
    """No 1/sqrt(K) in T5. bias None: nothing is masked and there is no bias."""
    s = q @ k.transpose(-1, -2)
    if bias is not None:
        s = s + bias
    o = torch.softmax(s, -1) @ v
    B, _, T, _ = o.shape
    return F.linear(o.transpose(1, 2).reshape(B, T, H * K), w)


def ffn(x, p):
    return F.linear(F.gelu(F.linear(x, W[p + "wi_0.weight"]), approximate="tanh") * F.linear(x, W[p + "wi_1.weight"]),
                    W[p + "wo.weight"])


def bucket(rel, both):
    """rel = key - query"""
    n, r = BUCKETS, torch.zeros_like(rel)
    if both:
        n //= 2
        r = (rel > 0).long() * n
        rel = rel.abs()
    else:
        rel = -torch.clamp(rel, max=0)
    exact = n // 2
    far = exact + (torch.log(rel.float().clamp(min=1) / exact) / math.log(DISTANCE / exact) * (n - exact)).long()
    return r + torch.where(rel < exact, rel, torch.clamp(far, max=n - 1))


def encode(x, mask):
    S = x.shape[1]
    i = torch.arange(S)
    bias = W["encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
    bias = bias[bucket(i[None] - i[:, None], True)].permute(2, 0, 1)[None]
    if mask is not None:
        bias = bias + mask
    h = F.embedding(x, W["shared.weight"])
    for b in range(L):
        p = f"encoder.block.{b}.layer.0."
        a = p + "SelfAttention."
        y = norm(h, W[p + "layer_norm.weight"])
        h = h + attend(heads(y, W[a + "q.weight"]), heads(y, W[a + "k.weight"]), heads(y, W[a + "v.weight"]), bias,
                       W[a + "o.weight"])
        p = f"encoder.block.{b}.layer.1."
        h = h + ffn(norm(h, W[p + "layer_norm.weight"]), p + "DenseReluDense.")
    return norm(h, W["encoder.final_layer_norm.weight"])


def step(token, t, own, cross, mask, bias):
    """The next token of each row. own, cross: (keys, values) of each layer; those of this token are put in place t."""
    h = F.embedding(token, W["shared.weight"])
    for b in range(LD):
        p = f"decoder.block.{b}.layer.0."
        a = p + "SelfAttention."
        y = norm(h, W[p + "layer_norm.weight"])
        k, v = own[b]
        k[:, :, t:t + 1] = heads(y, W[a + "k.weight"])
        v[:, :, t:t + 1] = heads(y, W[a + "v.weight"])
        h = h + attend(heads(y, W[a + "q.weight"]), k[:, :, :t + 1], v[:, :, :t + 1], bias[:, :, t:t + 1, :t + 1],
                       W[a + "o.weight"])
        p = f"decoder.block.{b}.layer.1."
        a = p + "EncDecAttention."
        y = norm(h, W[p + "layer_norm.weight"])
        h = h + attend(heads(y, W[a + "q.weight"]), *cross[b], mask, W[a + "o.weight"])
        p = f"decoder.block.{b}.layer.2."
        h = h + ffn(norm(h, W[p + "layer_norm.weight"]), p + "DenseReluDense.")
    h = norm(h, W["decoder.final_layer_norm.weight"])
    return F.linear(h[:, -1], W["lm_head.weight"]).argmax(-1, keepdim=True)


def generate(sources, new):
    B, S = len(sources), max(map(len, sources))
    x = torch.tensor([s + [0] * (S - len(s)) for s in sources])
    mask = None
    if min(map(len, sources)) < S:
        mask = torch.tensor([[0.0] * len(s) + [-1e9] * (S - len(s)) for s in sources])[:, None, None]
    enc = encode(x, mask)
    cross = [tuple(heads(enc, W[f"decoder.block.{b}.layer.1.EncDecAttention.{n}.weight"]).contiguous() for n in "kv")
             for b in range(LD)]
    own = [(torch.empty(B, H, new, K), torch.empty(B, H, new, K)) for _ in range(LD)]
    i = torch.arange(new)
    bias = W["decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
    bias = bias[bucket(i[None] - i[:, None], False)].permute(2, 0, 1)[None]
    token, out = torch.full((B, 1), START), []
    for t in range(new):
        token = step(token, t, own, cross, mask, bias)
        out.append(token)
    return torch.cat(out, 1).tolist()


def main():
    work, batches = read_json("work.json"), []
    with torch.no_grad():
        for sources in work["batches"]:
            seconds = []
            for _ in range(work["times"]):
                start = time.process_time()
                ids = generate(sources, work["new"])
                seconds.append(time.process_time() - start)
            batches.append({"seconds": min(seconds), "ids": ids})
    print(json.dumps({"torch": torch.__version__, "batches": batches}))


main()
