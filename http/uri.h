// Request targets and paths (RFC 9112 §3.2, RFC 3986 §6.2). One normaliser: what it makes is what rules see, what logs
// show as the path, and what the server gets. Pure functions.
#pragma once

#include <string_view>

#include "base/arena.h"
#include "http/framing.h"

namespace albatross {

// uri-host [":" port], without userinfo. IPv6 in brackets.
bool valid_authority(std::string_view text);
// Without the port, brackets kept; a trailing dot kept.
std::string_view host_of(std::string_view authority);
std::string_view port_of(std::string_view authority);

// Splits head.target into authority (absolute form), path and query. Refuses fragments, other schemes, `*` except for
// OPTIONS, and what is neither. The path is not normalised yet.
Refusal split_target(Head& head);

enum class EncodedSlash : bool { kReject, kPass };

// Decodes unreserved characters, writes the other escapes in upper case, resolves dot segments, keeps "//". `%2F`,
// `%5C`, `\` and `%00` are refused unless passed; a bad escape and a dot segment with parameters ("..;x") always. An
// already normal path is returned as it is; else the result is in the arena.
Refusal normalise_path(std::string_view path, EncodedSlash slashes, Arena& arena, std::string_view& out);

}  // namespace albatross
