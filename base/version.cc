#include "base/version.h"

namespace albatross {

const char* const kVersion = ALBATROSS_VERSION;
const char* const kCommit = ALBATROSS_COMMIT;
const char* const kWithout = ALBATROSS_WITHOUT;

}  // namespace albatross
