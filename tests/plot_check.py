"""Holds a plot to what it draws.

usage: plot_check.py PLOT.svg HISTORY.csv

The plot has to be well-formed XML, and each of its curves the numbers of the history: a number read
off the axes by the ticks and their labels is the one in the file, to a tenth of a pixel or the
microsecond that the file is rounded to."""

import csv
import math
import sys
import xml.etree.ElementTree as tree

SVG = "{http://www.w3.org/2000/svg}"


def numbers(path, column):
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    return [(float(row["seconds"]), float(row[column])) for row in rows if row[column]]


def ticks(root, horizontal):
    """Pixels and numbers of the labels along the seconds, or of all others."""
    found = []
    for text in root.iter(SVG + "text"):
        try:
            value = float(text.text)
        except ValueError:
            continue
        if (text.get("text-anchor") == "middle") == horizontal:
            found.append((float(text.get("x" if horizontal else "y")), value))
    return found


def check_axis(points, labels, logarithmic, blur, what):
    """Each number is drawn where the first and the last label say; `blur` is in pixels."""
    assert len(labels) >= 2, what + ": too few ticks"
    (a, low), (b, high) = labels[0], labels[-1]
    for pixel, value in points + labels:
        if logarithmic:
            place = a + math.log(value / low) / math.log(high / low) * (b - a)
        else:
            place = a + (value - low) / (high - low) * (b - a)
        assert abs(place - pixel) < blur, f"{what}: {value} is drawn at {pixel}, not at {place}"


def check_curve(root, line, history, labels, logarithmic):
    drawn = [tuple(map(float, point.split(","))) for point in line.get("points").split()]
    assert len(drawn) == len(history), f"{len(drawn)} points of {len(history)}"
    along = ticks(root, True)
    microsecond = 1e-6 * (along[-1][0] - along[0][0]) / (along[-1][1] - along[0][1])
    seconds = [(x, number[0]) for (x, _), number in zip(drawn, history)]
    check_axis(seconds, along, False, 0.1 + microsecond, "seconds")
    offset = 4  # a label stands below its line
    values = [(y + offset, number[1]) for (_, y), number in zip(drawn, history)]
    check_axis(values, labels, logarithmic, 0.1, line.get("class"))


def main():
    root = tree.parse(sys.argv[1]).getroot()
    assert root.tag == SVG + "svg"
    width, height = float(root.get("width")), float(root.get("height"))
    lines = {line.get("class").split()[1]: line for line in root.iter(SVG + "polyline")}
    labels = ticks(root, False)
    groups, last = [[]], math.inf
    for pixel, value in labels:  # from the bottom of a panel to its top
        if pixel > last:
            groups.append([])
        groups[-1].append((pixel, value))
        last = pixel
    words = [text.text for text in root.iter(SVG + "text")]
    check_curve(root, lines["loss"], numbers(sys.argv[2], "loss"), groups[0],
                "loss, logarithmic" in words)
    validation = numbers(sys.argv[2], "validation_loss")
    assert ("validation" in lines) == bool(validation)
    if validation:
        check_curve(root, lines["validation"], validation, groups[1],
                    "validation loss, logarithmic" in words)
    assert "seconds" in words and "loss" in words
    for line in lines.values():
        for point in line.get("points").split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= width and 0 <= y <= height


main()
