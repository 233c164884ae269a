#include <iostream>

#include "cli/commands.h"
#include "config/load.h"
#include "process/builder.h"

namespace albatross::cli {

int check_command(const std::string& file, bool json) {
  if (file.empty()) {
    std::cerr << "albatross check: no file given: albatross check FILE\n";
    return 2;
  }
  std::string error;
  auto source = config::read_source(file, error);
  if (!source) {
    std::cerr << "albatross: " << error << "\n";
    return 1;
  }
  config::Diagnostics out(file, source->text);
  config::Config c = config::load(*source, out);
  // Compiles patterns and loads certificates, which needs a configuration without errors.
  if (out.ok()) albatross::check(c, out);
  if (json) {
    std::cout << out.to_json() << "\n";
  } else {
    out.print(std::cerr);
    if (out.ok()) std::cout << file << ": ok\n";
  }
  return out.ok() ? 0 : 1;
}

}  // namespace albatross::cli
