// The contents of a RuleTable, for the matcher and for tests. Users of the table include routing/rules/rule_table.h.
#pragma once

#include <memory>
#include <string>

#include "routing/rules/rule_index.h"
#include "routing/rules/rule_program.h"
#include "routing/rules/rule_table.h"

namespace albatross {

// Const after compile_rules, shared by every matcher made from it.
struct CompiledRules {
  explicit CompiledRules(const RegexBudget& b) : budget(b), index(programs) {}

  RegexBudget budget;
  Programs programs;
  RuleIndex index;
};

// RuleTable::compile() with another memory budget for the regexes.
std::shared_ptr<const RuleTable> compile_rules(const config::Listener& listener, const std::string& path,
                                               config::Diagnostics& out, const RegexBudget& budget);

}  // namespace albatross
