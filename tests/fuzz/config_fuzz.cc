// Any text is loaded or refused with a reason, never worse; the first byte picks the format.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>

#include "config/load.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace config = albatross::config;
  if (size == 0) return 0;
  const config::Format format = data[0] == 'j' ? config::Format::kJson : config::Format::kYaml;
  const config::Source source{"/fuzz/input", std::string(reinterpret_cast<const char*>(data) + 1, size - 1), format};
  config::Diagnostics diagnostics(source.file, source.text);
  const config::Config loaded = config::load(source, diagnostics);
  if (diagnostics.ok() && loaded.listeners.empty()) std::abort();
  std::ostringstream out;
  diagnostics.print(out);
  if (!diagnostics.ok() && out.str().empty()) std::abort();
  diagnostics.to_json();
  return 0;
}
