// Makes a Config of a file or a text, and writes the schema and the reference. Any thread, as far as config/env.h
// allows.
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

// Reads a file of at most 16 MiB, whose ending tells the format. On failure nothing, and `error` is `file: why`.
std::optional<Source> read_source(const std::string& file, std::string& error);

// Parses, expands `${env:…}`, types and checks the text. All errors of the run go to `out`; the Config is usable only
// if `out.ok()`.
Config load(const Source& source, Diagnostics& out);

// The JSON Schema (draft-07) of the file, made of the field table that load() decodes by. Does not end in a line end.
std::string schema();

// The text of docs/configuration.md: each object of the file as a table of its keys, made of the same field table.
std::string reference_markdown();

}  // namespace albatross::config
