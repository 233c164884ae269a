// Memory for nghttp2. Each thread keeps freed pieces by size, up to 1 MiB of each size, so that streams and frames do
// not touch the heap in the steady state. A piece may be freed on another thread than it came from. Any thread.
#pragma once

#include <nghttp2/nghttp2.h>

namespace albatross {

nghttp2_mem* h2_memory();

}  // namespace albatross
