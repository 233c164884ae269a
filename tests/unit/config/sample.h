// Texts that the configuration tests share.
#pragma once

#include <string>

#include "config/load.h"
#include "config/tree/tree.h"

namespace albatross::config::test {

struct Loaded {
  Config config;
  Diagnostics diagnostics;
};

Loaded load_text(const std::string& text, Format format = Format::kYaml);

// Everything that was printed about the text; for failure messages.
std::string printed(const Diagnostics& diagnostics);

// A configuration with something of most kinds.
extern const char* const kExample;

// A tree as JSON text: quoted scalars as strings, the rest as they stand where JSON has them.
std::string to_json(const Node& node);

// Every setting as text, without places; equal configurations give equal texts.
std::string describe(const Config& config);

// A whole file around one part of it.
std::string with_listener(const std::string& keys);    // lines of a listener that has a group "blue"
std::string with_rule(const std::string& keys);        // of a rule with actions
std::string with_conditions(const std::string& list);  // a flow list
std::string with_actions(const std::string& list);     // a flow list
std::string with_group(const std::string& keys);       // of the group "blue", which has a server
std::string with_top(const std::string& keys);         // of the file

}  // namespace albatross::config::test
