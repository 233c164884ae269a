// What a listener's configuration says about requests before rules see them, in the types of http/. Any thread.
#pragma once

#include "config/config.h"
#include "http/forwarded.h"
#include "http/underscores.h"
#include "http/uri.h"

namespace albatross {

// Which X-Forwarded fields are set, and whose are believed.
ForwardedPolicy forwarded_policy(const config::Listener& listener);
Underscores underscores_policy(const config::Listener& listener);
EncodedSlash encoded_slash_policy(const config::Listener& listener);
// The networks of a list of "address/bits", as the configuration has checked them.
std::vector<Network> networks_of(const std::vector<config::Value<std::string>>& texts);

}  // namespace albatross
