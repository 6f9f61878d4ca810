// Parquet files through Arrow's C++ library, the one part of the command that is C++.
//
// A file of R reaches the library as an Arrow C stream of batches (pqf_data_arrow). Where the
// command itself has to see the ids (a validation file, pairs) it reads the same batches.
//
// Which column is what: a file with exactly three columns, of which the first two can be ids
// (integers or text) and the third is a number, is long; any other is wide. The row ids of a wide
// file are in the column that pandas' metadata call the index, or else in a first column of text.
#include "parquet.h"

#include "failure.h"
#include "memory_limit.h"
#include "number.h"
#include "want_of_memory.h"

#include <arrow/api.h>
#include <arrow/c/bridge.h>
#include <arrow/compute/cast.h>
#include <arrow/io/file.h>
#include <jansson.h>
#include <parquet/arrow/reader.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace
{

using Batches = std::shared_ptr<arrow::RecordBatchReader>;

constexpr int64_t kLargeBytes = 4 << 20;

// A file and what is to be read of it.
struct Source {
  const char *path = nullptr;
  std::shared_ptr<parquet::arrow::FileReader> reader;
  std::shared_ptr<arrow::Schema> schema;
  bool is_long = false;
  int row = -1; // columns of the file; -1: none
  int col = -1;
  int value = -1;
  int time = -1;
  std::vector<int> columns; // to be read, ascending
};

int fail(const char *path, int status, const std::string &words)
{
  std::string line = words;
  std::replace(line.begin(), line.end(), '\n', ' ');
  return pqf_say(status, "%s: %.500s", path, line.c_str());
}

int fail(const char *path, const arrow::Status &status)
{
  if (status.IsOutOfMemory())
    return fail(path, PQF_ENOMEM, "out of memory");
  return fail(path, status.IsIOError() ? PQF_EIO : PQF_EFORMAT, status.message());
}

// Arrow reports by status, Parquet's own layer by exceptions; neither may reach C.
template <typename Work> int guard(const char *path, Work work)
{
  pqf_expect_want_of_memory();
  try {
    return work();
  } catch (const std::bad_alloc &) {
    return fail(path, PQF_ENOMEM, "out of memory");
  } catch (const std::exception &error) {
    return fail(path, PQF_EFORMAT, error.what());
  }
}

const arrow::DataType &value_type(const arrow::DataType &type)
{
  if (type.id() == arrow::Type::DICTIONARY)
    return *static_cast<const arrow::DictionaryType &>(type).value_type();
  return type;
}

bool is_text(const arrow::DataType &type)
{
  const arrow::Type::type id = value_type(type).id();
  return id == arrow::Type::STRING || id == arrow::Type::LARGE_STRING ||
         id == arrow::Type::STRING_VIEW;
}

bool is_id(const arrow::DataType &type)
{
  return is_text(type) || arrow::is_integer(value_type(type).id());
}

bool is_number(const arrow::DataType &type)
{
  return arrow::is_integer(type.id()) || arrow::is_floating(type.id()) ||
         type.id() == arrow::Type::BOOL;
}

// The columns that pandas calls the index. A RangeIndex is no column.
std::vector<std::string> pandas_index(const arrow::Schema &schema)
{
  std::vector<std::string> names;
  const auto &metadata = schema.metadata();
  const int key = metadata != nullptr ? metadata->FindKey("pandas") : -1;
  if (key < 0)
    return names;
  const std::string &text = metadata->value(key);
  json_t *root = json_loadb(text.data(), text.size(), 0, nullptr);
  const json_t *columns = json_object_get(root, "index_columns");
  for (size_t n = 0; n < json_array_size(columns); ++n) {
    const char *column = json_string_value(json_array_get(columns, n));
    if (column != nullptr && schema.GetFieldIndex(column) >= 0)
      names.emplace_back(column);
  }
  json_decref(root);
  return names;
}

int find_column(const Source &source, const char *name, int *out)
{
  *out = source.schema->GetFieldIndex(name);
  if (*out >= 0)
    return PQF_OK;
  return fail(source.path, PQF_EINVAL, std::string("no column \"") + name + "\", or more than one");
}

// The column of times: by name, or by its place.
int choose_time(Source *source, const char *time)
{
  int64_t place;
  if (time == nullptr)
    return PQF_OK;
  if (source->schema->GetFieldIndex(time) >= 0 ||
      !pqf_integer_read(time, std::strlen(time), &place))
    return find_column(*source, time, &source->time);
  if (place < 1 || place > source->schema->num_fields())
    return fail(source->path, PQF_EINVAL, std::string("there is no column ") + time);
  source->time = static_cast<int>(place - 1);
  return PQF_OK;
}

// The columns of a long file: by name, else by position.
int choose_long(Source *source, const char *row, const char *col, const char *value)
{
  const char *const names[3] = {row, col, value};
  int *const columns[3] = {&source->row, &source->col, &source->value};
  if (source->schema->num_fields() < 3 && value != nullptr)
    return fail(source->path, PQF_EFORMAT, "a long table has three columns");
  for (int n = 0; n < 3; ++n) {
    *columns[n] = n;
    if (names[n] != nullptr) {
      const int status = find_column(*source, names[n], columns[n]);
      if (status != PQF_OK)
        return status;
    }
  }
  return PQF_OK;
}

int choose_wide(Source *source, const pqf_input_options *options,
                const std::vector<std::string> &index)
{
  if (options->row != nullptr)
    return find_column(*source, options->row, &source->row);
  if (options->index == PQF_NO)
    return PQF_OK;
  if (index.size() > 1)
    return fail(source->path, PQF_EINVAL,
                "an index of more than one column; --row NAME chooses one");
  if (index.size() == 1)
    return find_column(*source, index[0].c_str(), &source->row);
  if (options->index == PQF_YES || is_text(*source->schema->field(0)->type()))
    source->row = 0;
  return PQF_OK;
}

int choose_columns(Source *source, const pqf_input_options *options)
{
  const arrow::FieldVector &fields = source->schema->fields();
  const std::vector<std::string> index = pandas_index(*source->schema);
  const bool looks_long = fields.size() == 3 && index.empty() && is_id(*fields[0]->type()) &&
                          is_id(*fields[1]->type()) && is_number(*fields[2]->type());
  source->is_long = options->layout == PQF_LONG || options->col != nullptr ||
                    options->value != nullptr || options->time != nullptr ||
                    (options->layout == PQF_GUESS && looks_long);
  if (source->is_long && fields.size() < 3)
    return fail(source->path, PQF_EFORMAT, "a long table has three columns");
  int status = source->is_long ? choose_long(source, options->row, options->col, options->value)
                               : choose_wide(source, options, index);
  if (status == PQF_OK)
    status = choose_time(source, options->time);
  if (status != PQF_OK)
    return status;
  for (int n = 0; n < source->schema->num_fields(); ++n) {
    const std::string &name = source->schema->field(n)->name();
    const bool is_index = std::find(index.begin(), index.end(), name) != index.end();
    const bool wanted =
        source->is_long ? n == source->col || n == source->value || n == source->time : !is_index;
    if (n == source->row || wanted)
      source->columns.push_back(n);
  }
  return PQF_OK;
}

// The bytes of all columns once they are expanded.
int64_t bytes_of(const parquet::FileMetaData &metadata)
{
  int64_t bytes = 0;
  for (int n = 0; n < metadata.num_row_groups() && bytes < kLargeBytes; ++n)
    bytes += std::clamp<int64_t>(metadata.RowGroup(n)->total_byte_size(), 0, kLargeBytes);
  return bytes;
}

arrow::Status open_reader(Source *source)
{
  ARROW_ASSIGN_OR_RAISE(auto file, arrow::io::ReadableFile::Open(source->path));
  auto parquet_file = parquet::ParquetFileReader::Open(file);
  const int64_t columns = parquet_file->metadata()->num_columns();
  parquet::ArrowReaderProperties properties;
  // Threads gain nothing in a small file, and one that cannot be started is an error.
  const bool is_large = bytes_of(*parquet_file->metadata()) >= kLargeBytes;
  properties.set_use_threads(is_large);
  properties.set_pre_buffer(is_large);
  // About 64 MiB of floats at once.
  properties.set_batch_size(
      std::clamp<int64_t>((16 << 20) / std::max<int64_t>(columns, 1), 64, 65536));
  ARROW_ASSIGN_OR_RAISE(source->reader,
                        parquet::arrow::FileReader::Make(arrow::default_memory_pool(),
                                                         std::move(parquet_file), properties));
  return source->reader->GetSchema(&source->schema);
}

int open_source(Source *source, const char *path)
{
  source->path = path;
  const arrow::Status opened = open_reader(source);
  if (!opened.ok())
    return fail(path, opened);
  const auto &metadata = *source->reader->parquet_reader()->metadata();
  if (source->schema->num_fields() != metadata.num_columns())
    return fail(path, PQF_EFORMAT, "columns within columns are not supported");
  if (source->schema->num_fields() == 0 || metadata.num_rows() == 0)
    return fail(path, PQF_EFORMAT, "the table is empty");
  return PQF_OK;
}

// Batches of the chosen columns. They keep the file open as long as they are needed.
class KeptBatches : public arrow::RecordBatchReader
{
public:
  KeptBatches(std::shared_ptr<parquet::arrow::FileReader> file, Batches batches)
      : file_(std::move(file)), batches_(std::move(batches))
  {
  }
  std::shared_ptr<arrow::Schema> schema() const override
  {
    return batches_->schema();
  }
  // Whatever Parquet throws becomes a status here: a C stream has no other way to tell.
  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch> *batch) override
  {
    try {
      return batches_->ReadNext(batch);
    } catch (const std::bad_alloc &) {
      return arrow::Status::OutOfMemory("out of memory");
    } catch (const std::exception &error) {
      return arrow::Status::Invalid(error.what());
    }
  }

private:
  std::shared_ptr<parquet::arrow::FileReader> file_;
  Batches batches_;
};

arrow::Result<Batches> open_batches(const Source &source)
{
  std::vector<int> groups(static_cast<size_t>(source.reader->num_row_groups()));
  for (size_t n = 0; n < groups.size(); ++n)
    groups[n] = static_cast<int>(n);
  ARROW_ASSIGN_OR_RAISE(Batches batches,
                        source.reader->GetRecordBatchReader(groups, source.columns));
  return std::make_shared<KeptBatches>(source.reader, std::move(batches));
}

// One column of a batch as ids.
class Ids
{
public:
  int open(const Source &source, const arrow::RecordBatch &batch, int field)
  {
    const std::string &name = source.schema->field(field)->name();
    const auto column = batch.GetColumnByName(name);
    if (column == nullptr || !is_id(*column->type()))
      return fail(source.path, PQF_EINVAL,
                  "column \"" + name + "\" is neither of integers nor text");
    if (column->null_count() > 0)
      return fail(source.path, PQF_EINVAL, "column \"" + name + "\" has ids that are null");
    is_text_ = is_text(*column->type());
    const auto cast =
        arrow::compute::Cast(*column, is_text_ ? arrow::large_utf8() : arrow::int64());
    if (!cast.ok())
      return fail(source.path, cast.status());
    array_ = *cast;
    return PQF_OK;
  }
  bool texts() const
  {
    return is_text_;
  }
  pqf_id get(int64_t line) const
  {
    if (!is_text_)
      return {nullptr, 0, static_cast<const arrow::Int64Array &>(*array_).Value(line)};
    const auto view = static_cast<const arrow::LargeStringArray &>(*array_).GetView(line);
    return {view.data() != nullptr ? view.data() : "", static_cast<int64_t>(view.size()), 0};
  }

private:
  bool is_text_ = false;
  std::shared_ptr<arrow::Array> array_;
};

// One column of a batch as floats, nulls as NaN, `stride` apart.
int copy_floats(const Source &source, const arrow::Array &column, const std::string &name,
                float *out, int64_t stride)
{
  if (!is_number(*column.type()))
    return fail(source.path, PQF_EINVAL,
                "column \"" + name + "\" is not numeric (" + column.type()->ToString() + ")");
  const auto cast =
      arrow::compute::Cast(column, arrow::float32(), arrow::compute::CastOptions::Unsafe());
  if (!cast.ok())
    return fail(source.path, cast.status());
  const auto &floats = static_cast<const arrow::FloatArray &>(**cast);
  for (int64_t line = 0; line < floats.length(); ++line)
    out[line * stride] = floats.IsNull(line) ? NAN : floats.Value(line);
  return PQF_OK;
}

int add_ids(const Source &source, const arrow::RecordBatch &batch, pqf_id_map *map)
{
  Ids ids;
  int status = ids.open(source, batch, source.row);
  map->texts_only = ids.texts();
  for (int64_t line = 0; line < batch.num_rows() && status == PQF_OK; ++line) {
    const pqf_id id = ids.get(line);
    const int64_t before = map->count;
    int32_t place;
    status = pqf_id_map_add(map, &id, &place);
    if (status == PQF_OK && map->count == before) {
      char text[256];
      (void)pqf_id_print(&id, text, sizeof text);
      status = fail(source.path, PQF_EINVAL, std::string("the row id ") + text + " is there twice");
    }
  }
  return status;
}

// Names the columns of a wide table.
int add_names(const Source &source, pqf_table *out)
{
  for (const int column : source.columns) {
    const std::string &name = source.schema->field(column)->name();
    int32_t place;
    if (column == source.row)
      continue;
    const int status = pqf_id_map_add_text(&out->ids[PQF_COLS], name.data(),
                                           static_cast<int64_t>(name.size()), &place);
    if (status != PQF_OK)
      return status;
    if (place != out->cols)
      return fail(source.path, PQF_EINVAL, "column \"" + name + "\" is there twice");
    ++out->cols;
  }
  return out->cols > 0 ? PQF_OK : fail(source.path, PQF_EINVAL, "no column of numbers");
}

int add_wide_batch(const Source &source, const arrow::RecordBatch &batch, pqf_table *out,
                   int64_t *capacity)
{
  const int64_t rows = out->rows + batch.num_rows();
  if (rows > INT32_MAX)
    return fail(source.path, PQF_EINVAL, "more than 2147483647 rows");
  float *values =
      static_cast<float *>(pqf_grow(out->owned, capacity, rows * out->cols, sizeof *values));
  if (values == nullptr)
    return PQF_ENOMEM;
  out->owned = values;
  out->values = values;
  float *next = values + out->rows * out->cols;
  for (int n = 0; n < batch.num_columns(); ++n) {
    if (source.columns[static_cast<size_t>(n)] == source.row)
      continue;
    const int status =
        copy_floats(source, *batch.column(n), batch.column_name(n), next++, out->cols);
    if (status != PQF_OK)
      return status;
  }
  out->rows = rows;
  return source.row >= 0 ? add_ids(source, batch, &out->ids[PQF_ROWS]) : PQF_OK;
}

// Times as doubles, whatever their type; those of calendars as the integers that they are kept as.
int copy_times(const Source &source, const arrow::RecordBatch &batch, std::vector<double> *out)
{
  const std::string &name = source.schema->field(source.time)->name();
  const auto column = batch.GetColumnByName(name);
  if (column->null_count() > 0)
    return fail(source.path, PQF_EINVAL, "column \"" + name + "\" has times that are null");
  const bool is_calendar = arrow::is_temporal(column->type_id());
  arrow::Result<std::shared_ptr<arrow::Array>> cast = column;
  if (is_calendar && arrow::bit_width(column->type_id()) == 32)
    cast = arrow::compute::Cast(*column, arrow::int32());
  else if (is_calendar)
    cast = arrow::compute::Cast(*column, arrow::int64());
  else if (!is_number(*column->type()))
    return fail(source.path, PQF_EINVAL, "column \"" + name + "\" is neither numeric nor a time");
  if (cast.ok())
    cast = arrow::compute::Cast(**cast, arrow::float64(), arrow::compute::CastOptions::Unsafe());
  if (!cast.ok())
    return fail(source.path, cast.status());
  const auto &times = static_cast<const arrow::DoubleArray &>(**cast);
  out->assign(times.raw_values(), times.raw_values() + times.length());
  return PQF_OK;
}

int add_long_batch(const Source &source, const arrow::RecordBatch &batch, pqf_table *out)
{
  const std::string &name = source.schema->field(source.value)->name();
  Ids ids[2];
  int status = ids[PQF_ROWS].open(source, batch, source.row);
  if (status == PQF_OK)
    status = ids[PQF_COLS].open(source, batch, source.col);
  std::vector<float> values(static_cast<size_t>(batch.num_rows()));
  if (status == PQF_OK)
    status = copy_floats(source, *batch.GetColumnByName(name), name, values.data(), 1);
  std::vector<double> times;
  out->timed = source.time >= 0;
  if (status == PQF_OK && out->timed)
    status = copy_times(source, batch, &times);
  for (int side = 0; side < 2; ++side)
    out->ids[side].texts_only = ids[side].texts();
  for (int64_t line = 0; line < batch.num_rows() && status == PQF_OK; ++line) {
    int32_t place[2];
    for (int side = 0; side < 2 && status == PQF_OK; ++side) {
      const pqf_id id = ids[side].get(line);
      status = pqf_id_map_add(&out->ids[side], &id, &place[side]);
    }
    if (status == PQF_OK)
      status = pqf_table_add_cell(out, place[PQF_ROWS], place[PQF_COLS],
                                  values[static_cast<size_t>(line)]);
    if (status == PQF_OK && out->timed)
      out->time[out->count - 1] = times[static_cast<size_t>(line)];
  }
  return status;
}

// Keeps the names of a long table's columns.
int keep_names(const Source &source, pqf_table *out)
{
  const int columns[4] = {source.row, source.col, source.value, source.time};
  int status = PQF_OK;
  for (int n = 0; n < 4 && status == PQF_OK; ++n)
    if (columns[n] >= 0)
      status = pqf_table_name(out, n, source.schema->field(columns[n])->name().c_str());
  return status;
}

// Calls `take` with each batch.
template <typename Take> int each_batch(const Source &source, Take take)
{
  const auto batches = open_batches(source);
  if (!batches.ok())
    return fail(source.path, batches.status());
  for (;;) {
    std::shared_ptr<arrow::RecordBatch> batch;
    const arrow::Status read = (*batches)->ReadNext(&batch);
    if (!read.ok())
      return fail(source.path, read);
    if (batch == nullptr)
      return PQF_OK;
    const int status = take(*batch);
    if (status != PQF_OK)
      return status;
  }
}

} // namespace

int pqf_read_parquet_data(pqf_data **out, const char *path, const pqf_input_options *options)
{
  *out = nullptr;
  return guard(path, [&] {
    Source source;
    int status = open_source(&source, path);
    if (status == PQF_OK)
      status = choose_columns(&source, options);
    if (status != PQF_OK)
      return status;
    const auto batches = open_batches(source);
    if (!batches.ok())
      return fail(path, batches.status());
    struct ArrowArrayStream stream;
    const arrow::Status exported = arrow::ExportRecordBatchReader(*batches, &stream);
    if (!exported.ok())
      return fail(path, exported);
    const auto name = [&](int column) {
      return column >= 0 ? source.schema->field(column)->name().c_str() : nullptr;
    };
    pqf_data_options data_options = PQF_DATA_OPTIONS_INIT;
    data_options.nan_is_absent = options->nan_is_absent;
    data_options.duplicates = options->duplicates;
    data_options.memory_limit = pqf_memory_limit();
    status = pqf_data_arrow(out, &stream, name(source.row), name(source.col), name(source.value),
                            &data_options);
    return status == PQF_OK ? PQF_OK
                            : pqf_table_fail(status, nullptr, path, options->nan_is_absent);
  });
}

int pqf_read_parquet(pqf_table *out, const char *path, const pqf_input_options *options)
{
  return guard(path, [&] {
    Source source;
    int status = open_source(&source, path);
    if (status == PQF_OK)
      status = choose_columns(&source, options);
    if (status == PQF_OK)
      status = source.is_long ? keep_names(source, out) : add_names(source, out);
    if (status != PQF_OK)
      return status;
    int64_t capacity = 0;
    status = each_batch(source, [&](const arrow::RecordBatch &batch) {
      return source.is_long ? add_long_batch(source, batch, out)
                            : add_wide_batch(source, batch, out, &capacity);
    });
    return status == PQF_OK && source.is_long ? pqf_table_sort_ids(out) : status;
  });
}

int pqf_read_parquet_pairs(const char *path, const char *row, const char *col, pqf_take_pair take,
                           void *payload)
{
  return guard(path, [&] {
    Source source;
    int status = open_source(&source, path);
    if (status == PQF_OK && source.schema->num_fields() < 2)
      status = fail(path, PQF_EFORMAT, "pairs need two columns");
    if (status == PQF_OK)
      status = choose_long(&source, row, col, nullptr);
    if (status != PQF_OK)
      return status;
    source.columns = {std::min(source.row, source.col), std::max(source.row, source.col)};
    int64_t before = 0;
    return each_batch(source, [&](const arrow::RecordBatch &batch) {
      Ids rows, cols;
      int result = rows.open(source, batch, source.row);
      if (result == PQF_OK)
        result = cols.open(source, batch, source.col);
      for (int64_t line = 0; line < batch.num_rows() && result == PQF_OK; ++line) {
        const pqf_id ids[2] = {rows.get(line), cols.get(line)};
        result = take(payload, before + line + 1, &ids[0], &ids[1]);
      }
      before += batch.num_rows();
      return result;
    });
  });
}
