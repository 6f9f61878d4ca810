/* An SVG picture: one panel for the loss, one below it for the validation loss, since the two are
 * sums of different things; both over the same seconds. Colours follow the reader's light or dark
 * theme. A curve has at most MOST_POINTS points; of longer fits each n-th epoch is drawn, and the
 * last. */
#include "plot.h"

#include "axis.h"
#include "failure.h"
#include "output.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum {
  WIDTH = 760,
  LEFT = 86,
  RIGHT = 24,
  TOP = 56,
  PANEL = 240,  /* height of one */
  BETWEEN = 36, /* two panels */
  BOTTOM = 56,
  MOST_POINTS = 1000,
  LINE = 512
};

static const char style[] =
    "<style>\n"
    "svg { font: 13px system-ui, sans-serif; }\n"
    ".paper { fill: #ffffff; } text { fill: #24292f; }\n"
    ".grid { stroke: #d8dee4; stroke-width: 1; }\n"
    ".curve { fill: none; stroke-width: 2; stroke-linejoin: round; }\n"
    ".loss { stroke: #0969da; } .validation { stroke: #bc4c00; }\n"
    "circle.loss { fill: #0969da; } circle.validation { fill: #bc4c00; }\n"
    "@media (prefers-color-scheme: dark) {\n"
    ".paper { fill: #0d1117; } text { fill: #e6edf3; } .grid { stroke: #30363d; }\n"
    ".loss { stroke: #58a6ff; } .validation { stroke: #f0883e; }\n"
    "circle.loss { fill: #58a6ff; } circle.validation { fill: #f0883e; }\n"
    "}\n"
    "</style>\n<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n";

/* One curve: where an epoch's number of it lies, and what it is called. */
typedef struct pqf_curve {
  size_t offset; /* in pqf_epoch */
  const char *name;
  const char *class;
} pqf_curve;

static const pqf_curve curves[] = {
    {offsetof(pqf_epoch, loss), "loss", "loss"},
    {offsetof(pqf_epoch, validation_loss), "validation loss", "validation"},
};

typedef struct pqf_drawing {
  pqf_output output;
  const pqf_model *model;
  int64_t epochs;
  int64_t stride; /* from one epoch that is drawn to the next */
  pqf_axis seconds;
} pqf_drawing;

static int put(pqf_drawing *drawing, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int put(pqf_drawing *drawing, const char *format, ...)
{
  char line[LINE];
  va_list list;
  va_start(list, format);
  const int length = vsnprintf(line, sizeof line, format, list);
  va_end(list);
  return pqf_output_write(&drawing->output, line, (size_t)length);
}

/* The epoch that is drawn behind `index`; -1 begins. The last one ends. */
static int64_t next_drawn(const pqf_drawing *drawing, int64_t index)
{
  const int64_t next = index < 0 ? 0 : index + drawing->stride;
  return next < drawing->epochs || index == drawing->epochs - 1 ? next : drawing->epochs - 1;
}

/* An epoch's seconds, and its number of a curve; false: that is not finite. */
static bool read_point(const pqf_drawing *drawing, const pqf_curve *curve, int64_t index, double *x,
                       double *y)
{
  pqf_epoch epoch = {.size = sizeof epoch};
  if (pqf_model_history(drawing->model, index, &epoch) != PQF_OK)
    return false;
  *x = epoch.seconds;
  *y = *(const double *)(const void *)((const char *)&epoch + curve->offset);
  return isfinite(*x) && isfinite(*y);
}

/* The range of a curve; false: it has no points. */
static bool find_range(const pqf_drawing *drawing, const pqf_curve *curve, double *low,
                       double *high)
{
  double x, y;
  *low = INFINITY;
  *high = -INFINITY;
  for (int64_t n = 0; n < drawing->epochs; n = next_drawn(drawing, n))
    if (read_point(drawing, curve, n, &x, &y)) {
      *low = fmin(*low, y);
      *high = fmax(*high, y);
    }
  return *low <= *high;
}

/* Lines and numbers of both axes; those of the seconds below the lowest panel alone. */
static int draw_axes(pqf_drawing *drawing, const pqf_axis *values, bool is_last)
{
  const pqf_axis *seconds = &drawing->seconds;
  char text[PQF_TICK_TEXT];
  int status = PQF_OK;
  for (int n = 0; n < values->tick_count && status == PQF_OK; ++n) {
    const double y = pqf_axis_place(values, values->ticks[n]);
    pqf_axis_label(values, n, text);
    status = put(drawing,
                 "<line class=\"grid\" x1=\"%d\" y1=\"%.2f\" x2=\"%d\" y2=\"%.2f\"/>\n"
                 "<text x=\"%d\" y=\"%.2f\" text-anchor=\"end\">%s</text>\n",
                 LEFT, y, WIDTH - RIGHT, y, LEFT - 8, y + 4, text);
  }
  for (int n = 0; n < seconds->tick_count && status == PQF_OK; ++n) {
    const double x = pqf_axis_place(seconds, seconds->ticks[n]);
    pqf_axis_label(seconds, n, text);
    status =
        put(drawing, "<line class=\"grid\" x1=\"%.2f\" y1=\"%.2f\" x2=\"%.2f\" y2=\"%.2f\"/>\n", x,
            values->first, x, values->last);
    if (status == PQF_OK && is_last)
      status = put(drawing, "<text x=\"%.2f\" y=\"%.2f\" text-anchor=\"middle\">%s</text>\n", x,
                   values->first + 20, text);
  }
  return status;
}

static int draw_curve(pqf_drawing *drawing, const pqf_curve *curve, const pqf_axis *values)
{
  double x, y, last_x = 0, last_y = 0;
  const char *separator = "";
  int status = put(drawing, "<polyline class=\"curve %s\" points=\"", curve->class);
  for (int64_t n = 0; n < drawing->epochs && status == PQF_OK; n = next_drawn(drawing, n)) {
    if (!read_point(drawing, curve, n, &x, &y))
      continue;
    last_x = pqf_axis_place(&drawing->seconds, x);
    last_y = pqf_axis_place(values, y);
    status = put(drawing, "%s%.2f,%.2f", separator, last_x, last_y);
    separator = " ";
  }
  if (status == PQF_OK)
    status = put(drawing, "\"/>\n<circle class=\"%s\" cx=\"%.2f\" cy=\"%.2f\" r=\"3\"/>\n",
                 curve->class, last_x, last_y);
  return status;
}

static int draw_panel(pqf_drawing *drawing, const pqf_curve *curve, int panel, bool is_last)
{
  const double top = TOP + panel * (PANEL + BETWEEN);
  pqf_axis values;
  double low, high;
  if (!find_range(drawing, curve, &low, &high))
    return PQF_OK;
  pqf_axis_make(&values, low, high, true, top + PANEL, top);
  int status = draw_axes(drawing, &values, is_last);
  if (status == PQF_OK)
    status = put(drawing,
                 "<text x=\"20\" y=\"%.2f\" text-anchor=\"middle\" transform=\"rotate(-90 20 "
                 "%.2f)\">%s%s</text>\n",
                 top + PANEL / 2.0, top + PANEL / 2.0, curve->name,
                 values.logarithmic ? ", logarithmic" : "");
  if (status == PQF_OK)
    status = draw_curve(drawing, curve, &values);
  if (status == PQF_OK && is_last)
    status = put(drawing, "<text x=\"%.2f\" y=\"%.2f\" text-anchor=\"middle\">seconds</text>\n",
                 (LEFT + WIDTH - RIGHT) / 2.0, top + PANEL + 44);
  return status;
}

/* Swatches with names, above the panels. */
static int draw_legend(pqf_drawing *drawing, int count)
{
  int status = PQF_OK;
  for (int n = 0; n < count && status == PQF_OK; ++n) {
    const int x = LEFT + 120 * n;
    status = put(drawing,
                 "<line class=\"curve %s\" x1=\"%d\" y1=\"28\" x2=\"%d\" y2=\"28\"/>\n"
                 "<text x=\"%d\" y=\"32\">%s</text>\n",
                 curves[n].class, x, x + 24, x + 32, curves[n].name);
  }
  return status;
}

static int draw(pqf_drawing *drawing)
{
  double low, high, ignored;
  const int panels = find_range(drawing, &curves[1], &low, &high) ? 2 : 1;
  const int height = TOP + panels * PANEL + (panels - 1) * BETWEEN + BOTTOM;
  double last = 0;
  for (int64_t n = drawing->epochs - 1; n >= 0; --n)
    if (read_point(drawing, &curves[0], n, &last, &ignored))
      break;
  pqf_axis_make(&drawing->seconds, 0, last, false, LEFT, WIDTH - RIGHT);
  int status =
      put(drawing,
          "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
          "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
          "viewBox=\"0 0 %d %d\" role=\"img\">\n<title>Loss over %" PRId64 " epochs</title>\n",
          WIDTH, height, WIDTH, height, drawing->epochs);
  if (status == PQF_OK)
    status = pqf_output_write(&drawing->output, style, sizeof style - 1);
  if (status == PQF_OK)
    status = draw_legend(drawing, panels);
  for (int n = 0; n < panels && status == PQF_OK; ++n)
    status = draw_panel(drawing, &curves[n], n, n == panels - 1);
  return status == PQF_OK ? put(drawing, "</svg>\n") : status;
}

int pqf_write_plot(const pqf_model *model, const char *path)
{
  pqf_summary summary = {.size = sizeof summary};
  pqf_drawing drawing = {.model = model};
  int status = pqf_model_summary(model, &summary);
  if (status != PQF_OK)
    return pqf_say(status, "%s", pqf_error_message());
  if (summary.epochs == 0)
    return pqf_say(PQF_EINVAL, "%s: there is nothing to draw: the model has no history", path);
  drawing.epochs = summary.epochs;
  drawing.stride = (summary.epochs + MOST_POINTS - 1) / MOST_POINTS;
  status = pqf_output_open(&drawing.output, path);
  if (status == PQF_OK)
    status = draw(&drawing);
  if (status == PQF_OK)
    status = pqf_output_finish(&drawing.output);
  pqf_output_close(&drawing.output);
  return status;
}
