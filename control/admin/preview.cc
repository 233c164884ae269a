#include "control/admin/preview.h"

#include <sstream>

#include "lint/diff.h"

namespace albatross {

ControlReply compare(const config::Config& now, const ConfigSource::Read& next) {
  using Json = nlohmann::ordered_json;
  const auto text_of = [](const Json& j) { return j.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; };
  Json result;
  if (next.config) result = diff(now, *next.config, nullptr, *next.diagnostics);
  if (!result.is_null()) return {200, text_of({{"ok", true}, {"diff", std::move(result)}})};
  std::ostringstream why;
  next.diagnostics->print(why);
  return {422, text_of({{"ok", false},
                        {"message", why.str() + "nothing was changed"},
                        {"diagnostics", Json::parse(next.diagnostics->to_json(), nullptr, false)}})};
}

}  // namespace albatross
