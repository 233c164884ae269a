#include "http/underscores.h"

#include "base/arena.h"
#include "tests/support/catch.h"

using namespace albatross;

namespace {

// The names that are left of those.
std::string kept(Underscores how, std::vector<std::string> names, std::vector<std::string> read = {}) {
  Arena arena;
  Fields fields(arena);
  for (const std::string& name : names) fields.add(name, "v");
  const std::uint32_t dropped = drop_underscored(how, read, fields);
  std::string out;
  std::uint32_t live = 0;
  for (const Field& f : fields) {
    if (f.removed) continue;
    out += std::string(f.name()) + ";";
    ++live;
  }
  CHECK(live + dropped == names.size());
  return out;
}

}  // namespace

TEST_CASE("fields with an underscore that a server could take for ours are dropped") {
  const std::vector<std::string> names = {"X_Forwarded_For",
                                          "x_forwarded-proto",
                                          "content_length",
                                          "x_request_id",
                                          "transfer_encoding",
                                          "x_user",
                                          "user_agent",
                                          "_",
                                          "x-user"};
  CHECK(kept(Underscores::kProtect, names) == "x_user;user_agent;_;x-user;");
  CHECK(kept(Underscores::kDrop, names) == "x-user;");
  CHECK(kept(Underscores::kPass, names).find("X_Forwarded_For;") == 0);
}

TEST_CASE("fields with an underscore that a server could take for what a rule reads are dropped") {
  const std::vector<std::string> read = {"x-internal", "x-tenant"};
  CHECK(kept(Underscores::kProtect, {"X_Tenant", "x_internal", "x_other", "x-tenant"}, read) == "x_other;x-tenant;");
  CHECK(kept(Underscores::kProtect, {"x_exacter", "x_e"}, read) == "x_exacter;x_e;");
}

TEST_CASE("a long name with underscores is compared, too") {
  const std::string longest(300, 'a');
  CHECK(kept(Underscores::kProtect, {longest + "_b", longest + "_c"}, {longest + "-b"}) == longest + "_c;");
}
