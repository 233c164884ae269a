#include "tests/support/test_proxy.h"

#include <sstream>

#include "config/load.h"
#include "tests/support/failure.h"

namespace albatross::test {

TestProxy::TestProxy(const std::string& yaml, const ProxyOptions& options, std::shared_ptr<TempDir> folder)
    : folder_(std::move(folder)) {
  const std::string file = folder_->write("albatross.yaml", yaml);
  std::string error;
  const auto source = config::read_source(file, error);
  if (!source) throw Failure(error);
  config::Diagnostics out(file, source->text);
  auto config = std::make_shared<config::Config>(config::load(*source, out));
  config->file = file;
  ProcessOptions server_options{options.clock, options.name_servers, [this](Level, const std::string& line) {
                                  std::lock_guard lock(lock_);
                                  events_.push_back(line);
                                }};
  std::ostringstream text;
  if (out.ok()) {
    server_ = std::make_unique<Process>(config, server_options);
    if (server_->start(out, error)) {
      thread_ = std::thread([this] {
        server_->run();
        stopped_ = true;
      });
      return;
    }
  }
  out.print(text);
  throw Failure("the proxy did not start: " + error + "\n" + text.str() + yaml);
}

TestProxy::~TestProxy() {
  if (!thread_.joinable()) return;
  server_->stop_from_anywhere();
  server_->stop_from_anywhere();  // the second call stops at once
  thread_.join();
}

std::uint16_t TestProxy::port(const std::string& listener) {
  return ask([&](Process& s) { return s.port(listener); });
}

ReloadResult TestProxy::reload(const std::string& yaml) {
  folder_->write("albatross.yaml", yaml);
  std::promise<ReloadResult> answer;
  auto future = answer.get_future();
  boost::asio::post(server_->io(),
                    [&] { server_->reload([&](const ReloadResult& result) { answer.set_value(result); }); });
  if (future.wait_for(kPatience * 3) != std::future_status::ready) throw TimedOut("reload");
  return future.get();
}

bool TestProxy::wait_until_stopped(Ms patience) const {
  return eventually([this] { return stopped_.load(); }, patience);
}

std::vector<nlohmann::json> TestProxy::log() const {
  std::vector<nlohmann::json> lines;
  std::istringstream text(read_file(folder_->file("access.log")));
  for (std::string line; std::getline(text, line) && !text.eof();) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

std::vector<nlohmann::json> TestProxy::log(std::size_t lines) const {
  if (!eventually([&] { return log().size() >= lines; })) {
    throw TimedOut("the access log has no " + std::to_string(lines) +
                   " lines: " + read_file(folder_->file("access.log")));
  }
  return log();
}

bool TestProxy::said(const std::string& text) {
  std::lock_guard lock(lock_);
  for (const std::string& line : events_) {
    if (line.find(text) != std::string::npos) return true;
  }
  return false;
}

}  // namespace albatross::test
