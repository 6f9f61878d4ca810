"""The notebook's factorisation in PyTorch, to be timed by bench/dense.c.

usage: notebook_torch.py FOLDER ROWS COLS LEARNING_RATE

Reads R (and for each `factors K` P and Q) as raw floats from FOLDER, then answers lines on standard
input with one number each:

    factors K   take in P and Q            0
    epoch       run one                    seconds
    loss        of the factors by now      the loss, summed in double: torch.norm of 100 million
                                           float32 is off by more than half a percent
    memory      the most held so far       bytes
"""

import sys
import time

import numpy
import torch

THREADS = 2


class MatrixFactorization:
    """P Q' ~ R by full-batch gradient descent, the whole of R and of the error at once."""

    def __init__(self, R, P, Q, alpha, beta=0.02):
        self.R = R
        self.P = P
        self.Q = Q
        self.alpha = alpha
        self.beta = beta

    def forward(self, P, Q):
        return torch.matmul(P, Q.t())

    def loss(self, error):
        return (
            0.5 * torch.norm(error - self.R)
            + (self.beta / 2) * torch.norm(self.P)
            + torch.norm(self.Q)
        )

    def epoch(self):
        error = self.forward(self.P, self.Q) - self.R
        loss = self.loss(error).item()
        self.P = self.P - self.alpha * (2 * torch.matmul(error, self.Q) - self.beta * self.P)
        self.Q = self.Q - self.alpha * (2 * torch.matmul(error.t(), self.P) - self.beta * self.Q)
        return loss


def exact_loss(model):
    squares = 0.0
    for first in range(0, model.R.shape[0], 1000):
        rows = slice(first, first + 1000)
        difference = model.forward(model.P[rows], model.Q) - 2 * model.R[rows]
        squares += (difference.double() ** 2).sum().item()
    norms = model.beta / 2 * torch.norm(model.P.double()) + torch.norm(model.Q.double())
    return 0.5 * squares**0.5 + norms.item()


def peak_memory():
    """VmHWM: ru_maxrss would also remember the process that started this one."""
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    raise RuntimeError("/proc/self/status does not tell VmHWM")


def main():
    folder, rows, cols, alpha = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])

    def read(name, shape):
        return torch.from_numpy(numpy.fromfile(f"{folder}/{name}", dtype=numpy.float32)).view(shape)

    torch.set_num_threads(THREADS)
    R = read("R", (rows, cols))
    print(0, flush=True)
    model = None
    for line in sys.stdin:
        words = line.split()
        if words[0] == "factors":
            k = int(words[1])
            model = MatrixFactorization(R, read("P", (rows, k)), read("Q", (cols, k)), alpha)
            answer = 0
        elif words[0] == "epoch":
            begin = time.monotonic()
            model.epoch()
            answer = time.monotonic() - begin
        elif words[0] == "loss":
            answer = exact_loss(model)
        else:
            answer = peak_memory()
        print(repr(answer), flush=True)


if __name__ == "__main__":
    main()
