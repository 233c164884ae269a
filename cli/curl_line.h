// A command line of curl as a request for explain: what people paste. Any thread.
#pragma once

#include <string>
#include <vector>

#include "lint/explain.h"

namespace albatross::cli {

struct CurlLine {
  ExplainRequest request;
  std::vector<std::string> ignored;  // options that say nothing about routing, as written
  std::string error;                 // what is wrong with the line; empty: nothing
};

// `words` are those behind "curl".
CurlLine parse_curl(const std::vector<std::string>& words);

}  // namespace albatross::cli
