// From a file or a text to a Config. All errors of one run land in the Diagnostics.
#pragma once

#include <optional>
#include <string>

#include "config/config.h"
#include "config/diagnostics.h"

namespace albatross::config {

enum class Format { kYaml, kJson };

struct Source {
  std::string file;  // as named in messages; relative paths inside are relative to its folder
  std::string text;
  Format format = Format::kYaml;
};

// Reads the file (at most 16 MiB) and picks the format by its ending. On failure an error text `file: why`.
std::optional<Source> read_source(const std::string& file, std::string& error);

// Parses, expands ${env:…}, types and cross-checks. The Config is usable only if `out.ok()`.
Config load(const Source& source, Diagnostics& out);

// The JSON Schema (draft-07) of the file, made from the same field table that `load` decodes by. No line end
// behind it.
std::string schema();

// docs/configuration.md: each object of the file as a table of its keys, made from the same field table.
std::string reference_markdown();

}  // namespace albatross::config
