#include "base/version.h"

namespace albatross {

const char* const kVersion = ALBATROSS_VERSION;
const char* const kCommit = ALBATROSS_COMMIT;

}  // namespace albatross
