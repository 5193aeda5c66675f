"""Makes the golden values of adamw_test.go: PyTorch's AdamW on two groups.

Run once: python3 adamw_golden.py  (torch 2.15). Not part of the build.
"""
import torch
p = [torch.nn.Parameter(torch.tensor([0.5, -1.25, 2.0])), torch.nn.Parameter(torch.tensor([0.1, -0.2]))]
opt = torch.optim.AdamW([dict(params=[p[0]], lr=1e-2, weight_decay=0.01), dict(params=[p[1]], lr=1e-1, weight_decay=0.0)],
                        betas=(0.9, 0.999), eps=1e-8)
for t in range(3):
    for k, q in enumerate(p):
        n = q.numel()
        q.grad = torch.tensor([0.3 * (i + 1) * (-1) ** (i + k) + 0.1 * t for i in range(n)])
    for g in opt.param_groups:
        g["lr"] = (1e-2 if g["weight_decay"] else 1e-1) * (1 - t / 10)
    opt.step()
    print([f"{v:.9g}" for q in p for v in q.tolist()])
