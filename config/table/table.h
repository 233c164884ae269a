// The field table: every object of the file. What a key is called, means and takes is said here and nowhere else; its
// default is what the member that it fills holds in config.h. Each function builds its table once and then returns
// that one; any thread.
#pragma once

#include <vector>

#include "config/table/type.h"

namespace albatross::config {

const Object<Config>& config_table();      // table_config.cc
const Object<Listener>& listener_table();  // table_listener.cc
const Object<Rule>& rule_table();          // table_rule.cc
const Object<Condition>& condition_table();
const Object<Action>& action_table();      // table_action.cc
const Object<ServerGroup>& group_table();  // table_group.cc

// The types that several tables share.
Type<std::vector<Rule>> rule_list();
Type<std::vector<Action>> action_list();
Type<Pattern> host_pattern();  // pattern.cc
Type<Pattern> path_pattern();
Type<Pattern> value_pattern();
const std::vector<std::string>& security_policies();  // policies.cc

// The tables of each file, their own sub-objects behind them.
using Tables = std::vector<const ObjectInfo*>;
void add_config_tables(Tables& tables);
void add_listener_tables(Tables& tables);
void add_rule_tables(Tables& tables);
void add_pattern_tables(Tables& tables);
void add_action_tables(Tables& tables);
void add_group_tables(Tables& tables);

Tables all_tables();  // in the order of the reference

}  // namespace albatross::config
