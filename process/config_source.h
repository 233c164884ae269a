// Where configurations and changes of groups come from: a file and names today; a cluster's API or a store later. A
// source tells its sink, the one builder of the process, that there is something new; it never builds or installs
// anything itself.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/diagnostics.h"

namespace albatross {

// What a source tells. Control thread.
class ConfigSink {
 public:
  // The addresses behind these names have changed: groups that use one are built anew, and nothing else.
  virtual void names_changed(const std::vector<std::string>& names) = 0;
  // The servers of that group are these from now on, until the configuration is read again. Of changes that come while
  // one is being built, the last counts.
  virtual void servers_changed(const std::string& group, std::vector<config::Server> servers) = 0;

 protected:
  ~ConfigSink() = default;
};

// One that has whole configurations.
class ConfigSource {
 public:
  struct Read {
    std::shared_ptr<const config::Config> config;  // null: there is none, or it has errors
    std::shared_ptr<config::Diagnostics> diagnostics;
  };
  virtual ~ConfigSource() = default;
  // For messages: the file.
  virtual const std::string& name() const = 0;
  // Reads and checks it. Any thread, one at a time.
  virtual Read read() = 0;
};

class FileSource final : public ConfigSource {
 public:
  explicit FileSource(std::string file) : file_(std::move(file)) {}
  const std::string& name() const override { return file_; }
  Read read() override;

 private:
  std::string file_;
};

}  // namespace albatross
