"""The notebook's factorisation in PyTorch, to be timed by bench/dense.c.

usage: notebook_torch.py LEARNING_RATE

Answers lines on standard input with one number each:

    R COLS PATH   take in a matrix of raw floats        0
    P K PATH      P, where the next epoch begins        0
    Q K PATH      likewise Q                            0
    epoch         run one                               seconds
    loss          of the factors by now                 the loss, summed in double: torch.norm of
                                                        100 million float32 is off by half a percent
    memory        the most held so far                  bytes
"""

import sys
import time

import numpy
import torch

THREADS = 2


class MatrixFactorization:
    """P Q' ~ R by full-batch gradient descent, the whole of R and of the error at once."""

    def __init__(self, alpha, beta=0.02):
        self.R = self.P = self.Q = None
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


def read_matrix(path, cols):
    return torch.from_numpy(numpy.fromfile(path, dtype=numpy.float32)).view(-1, cols)


def timed_epoch(model):
    begin = time.monotonic()
    model.epoch()
    return time.monotonic() - begin


def main():
    torch.set_num_threads(THREADS)
    model = MatrixFactorization(float(sys.argv[1]))
    for line in sys.stdin:
        command, *words = line.split()
        if command == "epoch":
            answer = timed_epoch(model)
        elif command == "loss":
            answer = exact_loss(model)
        elif command == "memory":
            answer = peak_memory()
        else:
            setattr(model, command, read_matrix(words[1], int(words[0])))
            answer = 0
        print(repr(answer), flush=True)


if __name__ == "__main__":
    main()
