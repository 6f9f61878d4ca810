// Sheets as Parquet. The index of a wide sheet is named as pandas names one, so that pandas and
// this command's reader find the row ids again.
#include "parquet.h"

#include "failure.h"
#include "want_of_memory.h"

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <parquet/arrow/writer.h>
#include <parquet/exception.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace
{

constexpr const char *kIndexName = "__index_level_0__";
constexpr int64_t kGroupBytes = 128 << 20;

struct Writing {
  pqf_output *output = nullptr;
  const pqf_sheet *sheet = nullptr;
  std::shared_ptr<arrow::Schema> schema;
  std::unique_ptr<parquet::arrow::FileWriter> writer;
  std::shared_ptr<arrow::io::FileOutputStream> sink;
};

int fail(const Writing &writing, const std::string &words)
{
  std::string line = words;
  std::replace(line.begin(), line.end(), '\n', ' ');
  return pqf_say(PQF_EIO, "%s: %.500s", writing.output->path, line.c_str());
}

template <typename Work> int guard(const Writing &writing, Work work)
{
  pqf_expect_want_of_memory();
  try {
    const arrow::Status status = work();
    if (status.ok())
      return PQF_OK;
    if (status.IsOutOfMemory())
      return pqf_say(PQF_ENOMEM, "%s: out of memory", writing.output->path);
    return fail(writing, status.message());
  } catch (const std::bad_alloc &) {
    return pqf_say(PQF_ENOMEM, "%s: out of memory", writing.output->path);
  } catch (const std::exception &error) {
    return fail(writing, error.what());
  }
}

std::string name_of(const pqf_id &id)
{
  return id.text != nullptr ? std::string(id.text, static_cast<size_t>(id.length))
                            : std::to_string(id.number);
}

std::string id_column_name(const pqf_sheet &sheet, int n)
{
  return sheet.id_names[n][0] != '\0' ? sheet.id_names[n] : kIndexName;
}

// As much as pandas needs to take the column for the index.
std::shared_ptr<arrow::KeyValueMetadata> pandas_metadata(bool texts)
{
  const std::string name = kIndexName;
  const std::string type = texts ? R"("pandas_type": "unicode", "numpy_type": "object")"
                                 : R"("pandas_type": "int64", "numpy_type": "int64")";
  return arrow::key_value_metadata(
      {"pandas"},
      {R"({"index_columns": [")" + name +
       R"("], "column_indexes": [{"name": null, "field_name": null, "pandas_type": "unicode", )"
       R"("numpy_type": "object", "metadata": null}], "columns": [{"name": null, "field_name": ")" +
       name + R"(", )" + type +
       R"(, "metadata": null}], "creator": {"library": "pqf", "version": ")" + pqf_version() +
       R"("}, "pandas_version": "1.0.0"})"});
}

parquet::Compression::type compression_of(const char *path)
{
  if (pqf_ends_in(path, ".gz") || pqf_ends_in(path, ".gzip"))
    return parquet::Compression::GZIP;
  if (pqf_ends_in(path, ".zst") || pqf_ends_in(path, ".zstd"))
    return parquet::Compression::ZSTD;
  return parquet::Compression::SNAPPY;
}

void make_schema(Writing *writing)
{
  const pqf_sheet &sheet = *writing->sheet;
  arrow::FieldVector fields;
  for (int n = 0; n < sheet.id_columns; ++n)
    fields.push_back(
        arrow::field(id_column_name(sheet, n),
                     sheet.id_kinds[n] == PQF_IDS_TEXTS ? arrow::utf8() : arrow::int64(), false));
  for (int64_t n = 0; n < sheet.value_columns; ++n)
    fields.push_back(arrow::field(name_of(sheet.value_names[n]), arrow::float32(), false));
  if (sheet.time_name != nullptr)
    fields.push_back(arrow::field(sheet.time_name,
                                  sheet.whole_times ? arrow::int64() : arrow::float64(), false));
  const bool has_index = sheet.id_columns == 1 && sheet.id_names[0][0] == '\0';
  writing->schema = arrow::schema(
      fields, has_index ? pandas_metadata(sheet.id_kinds[0] == PQF_IDS_TEXTS) : nullptr);
}

arrow::Status open_file(Writing *writing)
{
  const pqf_sheet &sheet = *writing->sheet;
  const int file = dup(writing->output->file);
  if (file < 0)
    return arrow::Status::IOError("the file descriptor could not be copied");
  ARROW_ASSIGN_OR_RAISE(writing->sink, arrow::io::FileOutputStream::Open(file));
  make_schema(writing);
  // Predictions hardly repeat: a dictionary of them is a waste.
  parquet::WriterProperties::Builder properties;
  properties.compression(compression_of(writing->output->path))
      ->disable_dictionary()
      ->max_row_group_length(
          std::max<int64_t>(1, kGroupBytes / (sheet.value_columns * int64_t{sizeof(float)})));
  for (int n = 0; n < sheet.id_columns; ++n)
    properties.enable_dictionary(id_column_name(sheet, n));
  const auto arrow_properties = parquet::ArrowWriterProperties::Builder().store_schema()->build();
  ARROW_ASSIGN_OR_RAISE(writing->writer, parquet::arrow::FileWriter::Open(
                                             *writing->schema, arrow::default_memory_pool(),
                                             writing->sink, properties.build(), arrow_properties));
  return arrow::Status::OK();
}

arrow::Result<std::shared_ptr<arrow::Array>> make_ids(const pqf_id *ids, int64_t count, bool texts)
{
  if (!texts) {
    arrow::Int64Builder builder;
    ARROW_RETURN_NOT_OK(builder.Reserve(count));
    for (int64_t n = 0; n < count; ++n)
      builder.UnsafeAppend(ids[n].number);
    return builder.Finish();
  }
  arrow::StringBuilder builder;
  for (int64_t n = 0; n < count; ++n)
    ARROW_RETURN_NOT_OK(builder.Append(ids[n].text, static_cast<int32_t>(ids[n].length)));
  return builder.Finish();
}

arrow::Result<std::shared_ptr<arrow::Array>> make_floats(const float *values, int64_t count,
                                                         int64_t stride)
{
  arrow::FloatBuilder builder;
  ARROW_RETURN_NOT_OK(builder.Reserve(count));
  for (int64_t n = 0; n < count; ++n)
    builder.UnsafeAppend(values[n * stride]);
  return builder.Finish();
}

arrow::Result<std::shared_ptr<arrow::Array>> make_times(const double *times, int64_t count,
                                                        bool whole)
{
  if (!whole) {
    arrow::DoubleBuilder builder;
    ARROW_RETURN_NOT_OK(builder.AppendValues(times, count));
    return builder.Finish();
  }
  arrow::Int64Builder builder;
  ARROW_RETURN_NOT_OK(builder.Reserve(count));
  for (int64_t n = 0; n < count; ++n)
    builder.UnsafeAppend(static_cast<int64_t>(times[n]));
  return builder.Finish();
}

arrow::Status write_block(Writing *writing, const pqf_sheet_block &block)
{
  const pqf_sheet &sheet = *writing->sheet;
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (int n = 0; n < sheet.id_columns; ++n) {
    ARROW_ASSIGN_OR_RAISE(auto ids,
                          make_ids(block.ids[n], block.rows, sheet.id_kinds[n] == PQF_IDS_TEXTS));
    columns.push_back(std::move(ids));
  }
  for (int64_t n = 0; n < sheet.value_columns; ++n) {
    ARROW_ASSIGN_OR_RAISE(auto floats,
                          make_floats(block.values + n, block.rows, sheet.value_columns));
    columns.push_back(std::move(floats));
  }
  if (sheet.time_name != nullptr) {
    ARROW_ASSIGN_OR_RAISE(auto times, make_times(block.times, block.rows, sheet.whole_times));
    columns.push_back(std::move(times));
  }
  return writing->writer->WriteRecordBatch(
      *arrow::RecordBatch::Make(writing->schema, block.rows, std::move(columns)));
}

int open_parquet(void **state, pqf_output *output, const pqf_sheet *sheet)
{
  auto *writing = new (std::nothrow) Writing;
  *state = writing;
  if (writing == nullptr)
    return pqf_say(PQF_ENOMEM, "%s: out of memory", output->path);
  writing->output = output;
  writing->sheet = sheet;
  return guard(*writing, [&] { return open_file(writing); });
}

int write_parquet(void *state, const pqf_sheet_block *block)
{
  auto *writing = static_cast<Writing *>(state);
  return guard(*writing, [&] { return write_block(writing, *block); });
}

int finish_parquet(void *state)
{
  auto *writing = static_cast<Writing *>(state);
  return guard(*writing, [&] {
    ARROW_RETURN_NOT_OK(writing->writer->Close());
    return writing->sink->Close();
  });
}

// A writer that was not finished tries to finish as it goes; what becomes of that is of no
// interest.
void close_parquet(void *state)
{
  delete static_cast<Writing *>(state);
}

} // namespace

extern const pqf_writer pqf_parquet_writer = {open_parquet, write_parquet, finish_parquet,
                                              close_parquet};
