// Memory for nghttp2: freed pieces are kept by size and thread, so that streams and frames of a warm worker do not
// touch the heap. What a thread frees it keeps, up to a bound. A piece may be freed on another thread than it came
// from.
#pragma once

#include <nghttp2/nghttp2.h>

namespace albatross {

nghttp2_mem* h2_memory();

}  // namespace albatross
