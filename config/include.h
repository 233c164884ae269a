// `include`: further files whose keys are merged with those of the main file. Reads files; any thread, with the
// restriction of config/env.h.
#pragma once

#include "config/config.h"
#include "config/table/decoder.h"
#include "config/tree/tree.h"

namespace albatross::config {

// Merges the files that the tree's `include` names into the tree: lists are appended in the order of the files' paths,
// mappings are merged, and anything else that is set twice is an error at the second place. Lists those files in
// `config`. `out` gets the texts and names the files in messages. False if a file cannot be read or parsed and so is
// missing from the tree: the names that it defines would look undefined.
bool merge_includes(Node& root, Decoder& decoder, Diagnostics& out, Config& config);

}  // namespace albatross::config
