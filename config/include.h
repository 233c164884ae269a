// `include`: further files whose keys are put beside those of the main file. Reads files; any thread, as far as
// config/env.h allows.
#pragma once

#include "config/config.h"
#include "config/table/decoder.h"
#include "config/tree/tree.h"

namespace albatross::config {

// Merges the files that the tree's `include` names into the tree: lists are appended in the order of the files' paths,
// mappings are merged, and anything else that is set twice is an error at the second place. Says in `config` which
// files those were. The texts are handed to `out`, which names the files in messages. False if a file is missing from
// the tree because it cannot be read or parsed: what it has would look undefined.
bool merge_includes(Node& root, Decoder& decoder, Diagnostics& out, Config& config);

}  // namespace albatross::config
