// Maps a request's host and path to the rules that may match: a bucket for each host, with its paths.
//
// A rule is listed under each pair of one of its hosts and one of its paths. A host or path that cannot be looked up
// (there is no such condition, or it is like "*-x" or a regex) puts the rule into the bucket for any host, or into a
// bucket's list for any path, where the value is still to be matched. If a bucket has only few paths, all of them are
// in that list, too, because comparing them is faster than hashing. Built on one thread by add() and freeze(), then
// const and shared.
#pragma once

#include <cstdint>
#include <vector>

#include "routing/rules/host_trie.h"
#include "routing/rules/path_trie.h"
#include "routing/rules/regex_sets.h"
#include "routing/rules/rule_program.h"

namespace albatross {

class RuleIndex {
 public:
  static constexpr std::uint32_t kAnyHost = 0;  // the bucket that every host reaches
  static constexpr std::uint32_t kNoRoot = 0xffffffff;

  struct Bucket {
    std::uint32_t root = kNoRoot;  // in paths()
    Range any_path;                // of any_path()
    Range regexes;                 // roots in forest(), matched against the path
  };

  explicit RuleIndex(const Programs& programs);

  // Adds a rule; to be called in the order of the rules.
  void add(std::uint32_t rule, const IndexKeys& keys);
  // Builds the look-up structures. Nothing is added afterwards.
  void freeze();

  const HostTrie& hosts() const { return hosts_; }
  const PathTrie& paths() const { return paths_; }
  const RegexForest& forest() const { return forest_; }
  const Bucket& bucket(std::uint32_t i) const { return buckets_[i]; }
  Range host_regexes() const { return host_regexes_; }
  RuleList any_path(const Bucket& bucket) const {
    return {any_path_.data() + bucket.any_path.begin, bucket.any_path.end - bucket.any_path.begin};
  }

 private:
  // A bucket while it fills up.
  struct Draft {
    std::vector<RuleEntry> any_path;
    std::vector<ValueEntry> literals;  // paths that begin with a literal, for the trie
    std::vector<ValueEntry> anchored;  // regexes after a literal
    std::vector<ValueEntry> regexes;   // others
  };

  std::uint32_t bucket_of(std::uint32_t host_value, RuleEntry& entry);
  void add_path(Draft& draft, const ValueEntry& path);
  void add_any_path(Draft& draft, const RuleEntry& entry);
  bool is_host_regex(std::uint32_t host_value) const;
  const TextMatcher& path_of(const ValueEntry& path) const { return programs_.values[path.value]; }

  void freeze_bucket(Bucket& bucket, Draft& draft);
  void place_literal(std::uint32_t root, const ValueEntry& path);
  void place_anchored(std::uint32_t root, Draft& draft);

  const Programs& programs_;
  HostTrie hosts_;
  PathTrie paths_;
  RegexForest forest_;
  std::vector<Bucket> buckets_;
  std::vector<RuleEntry> any_path_;
  Range host_regexes_;  // roots in forest(), matched against the host

  std::vector<Draft> drafts_;
  std::vector<ValueEntry> host_regex_drafts_;
};

}  // namespace albatross
