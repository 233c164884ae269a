// The field table: every object of the file. The names, meanings and values of keys are defined only here. The default
// of a key is the initialiser of its member in config.h. Each function builds its table once and then returns that one;
// any thread.
#pragma once

#include <vector>

#include "config/table/type.h"

namespace albatross::config {

const Object<Config>& config_table();      // root.cc
const Object<Listener>& listener_table();  // listener.cc
const Object<Rule>& rule_table();          // rule.cc
const Object<Condition>& condition_table();
const Object<Action>& action_table();      // action.cc
const Object<ServerGroup>& group_table();  // group.cc

// Types that several tables share.
Type<std::vector<Rule>> rule_list();
Type<std::vector<Action>> action_list();
Type<Pattern> host_pattern();  // config/pattern.cc
Type<Pattern> path_pattern();
Type<Pattern> value_pattern();
const std::vector<std::string>& security_policies();  // config/policies.cc

// Each adds the tables of one file, those of sub-objects last.
using Tables = std::vector<const ObjectInfo*>;
void add_config_tables(Tables& tables);
void add_listener_tables(Tables& tables);
void add_rule_tables(Tables& tables);
void add_pattern_tables(Tables& tables);
void add_action_tables(Tables& tables);
void add_group_tables(Tables& tables);

// All of them, in the order of the reference.
Tables all_tables();

}  // namespace albatross::config
