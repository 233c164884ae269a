// The table of a time condition.
#pragma once

#include "config/config.h"
#include "config/table/type.h"

namespace albatross::config {

const Object<TimeWindow>& time_condition();

}  // namespace albatross::config
