// Makes a Config from a file or a text, and writes the schema and the reference. Any thread, with the restriction of
// config/env.h.
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

// Reads a file of at most 16 MiB, whose extension gives the format. On failure returns nothing, and `error` is `file:
// why`.
std::optional<Source> read_source(const std::string& file, std::string& error);

// Parses, expands `${env:…}`, types and checks the text. All errors of the run go to `out`; the Config is usable only
// if `out.ok()`.
Config load(const Source& source, Diagnostics& out);

// The JSON Schema (draft-07) of the file, made from the field table that load() decodes by. There is no line end after
// the last line.
std::string schema();

// The text of docs/configuration.md: each object of the file as a table of its keys, made from the same field table.
std::string reference_markdown();

}  // namespace albatross::config
