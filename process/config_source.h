// The sources of configurations and of changes of groups' servers. A ConfigSource has whole configurations, such as a
// file. A ConfigSink is told about changes of names and of servers. Neither builds or installs anything: the Reloader,
// which owns the source and is the sink, does.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/diagnostics.h"

namespace albatross {

// Receives changes. Control thread.
class ConfigSink {
 public:
  // The addresses of these names have changed. Only the groups that use one of them are built again.
  virtual void names_changed(const std::vector<std::string>& names) = 0;
  // The group has these servers from now on, until the configuration is read again. If several changes come during a
  // build, the last one counts.
  virtual void servers_changed(const std::string& group, std::vector<config::Server> servers) = 0;

 protected:
  ~ConfigSink() = default;
};

// A source of whole configurations.
class ConfigSource {
 public:
  struct Read {
    std::shared_ptr<const config::Config> config;  // null if it cannot be read or has errors
    std::shared_ptr<config::Diagnostics> diagnostics;
  };
  virtual ~ConfigSource() = default;
  // Its name for messages, such as that of the file.
  virtual const std::string& name() const = 0;
  // Reads and checks the configuration. Any thread, one at a time.
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
