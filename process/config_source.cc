#include "process/config_source.h"

#include "config/load.h"

namespace albatross {

ConfigSource::Read FileSource::read() {
  std::string error;
  std::optional<config::Source> source = config::read_source(file_, error);
  auto out = std::make_shared<config::Diagnostics>(file_, source ? source->text : "");
  if (!source) {
    out->error({}, "", error);
    return {nullptr, out};
  }
  auto config = std::make_shared<const config::Config>(config::load(*source, *out));
  return {out->ok() ? config : nullptr, out};
}

}  // namespace albatross
