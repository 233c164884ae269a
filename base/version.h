// The version of this binary. The texts live as long as the program; any thread.
#pragma once

namespace albatross {

extern const char* const kVersion;  // "1.2.0"
extern const char* const kCommit;  // the commit that it was built from, 12 hexadecimal digits; "unknown" outside of git
extern const char* const kWithout;  // the capabilities whose libraries were missing, "time zones"; "" if none

}  // namespace albatross
