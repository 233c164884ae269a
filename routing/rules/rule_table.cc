#include "routing/rules/rule_table.h"

#include "routing/rules/rule_matcher.h"
#include "routing/rules/rule_table_compiled.h"

namespace albatross {
namespace {

class CompiledTable final : public RuleTable {
 public:
  explicit CompiledTable(std::shared_ptr<const CompiledRules> rules) : rules_(std::move(rules)) {}

  std::unique_ptr<Matcher> make_matcher() const override { return std::make_unique<RuleMatcher>(rules_); }

 private:
  std::shared_ptr<const CompiledRules> rules_;
};

}  // namespace

std::shared_ptr<const RuleTable> compile_rules(const config::Listener& listener, const std::string& path,
                                               config::Diagnostics& out, const RegexBudget& budget) {
  const std::size_t errors_before = out.errors();
  auto rules = std::make_shared<CompiledRules>(budget);
  ProgramBuilder builder(rules->programs, rules->budget, out);
  for (std::size_t i = 0; i < listener.rules.size(); ++i) {
    const IndexKeys keys = builder.add(listener.rules[i], config::element_path(path + ".rules", i));
    rules->index.add(static_cast<std::uint32_t>(i), keys);
  }
  if (out.errors() != errors_before) return nullptr;
  rules->index.freeze();
  return std::make_shared<CompiledTable>(std::move(rules));
}

std::shared_ptr<const RuleTable> RuleTable::compile(const config::Listener& listener, const std::string& path,
                                                    config::Diagnostics& out) {
  return compile_rules(listener, path, out, RegexBudget());
}

}  // namespace albatross
