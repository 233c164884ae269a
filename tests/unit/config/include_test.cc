// `include`: several files as one.
#include "config/load.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using namespace albatross::config;
using albatross::test::TempDir;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr const char* kMain =
    "include: [conf.d/*.yaml]\n"
    "listeners: [{name: web, bind: ':8080', default_actions: [{forward: a}]}]\n"
    "server_groups: [{name: a, servers: [{address: '10.0.0.1:80'}]}]\n";

struct Loaded {
  explicit Loaded(const TempDir& folder) : file(folder.file("main.yaml")) {
    std::string error;
    const auto source = read_source(file, error);
    REQUIRE(source);
    out = std::make_unique<Diagnostics>(file, source->text);
    config = load(*source, *out);
  }
  std::string errors() const {
    std::ostringstream text;
    out->print(text);
    return text.str();
  }
  std::string file;
  std::unique_ptr<Diagnostics> out;
  Config config;
};

void make_folder(const TempDir& folder, const std::string& name) {
  std::filesystem::create_directory(folder.file(name));
}

}  // namespace

TEST_CASE("included files are merged in the order of their names") {
  const TempDir folder;
  folder.write("main.yaml", kMain);
  make_folder(folder, "conf.d");
  folder.write("conf.d/20.yaml", "server_groups: [{name: c, servers: [{address: 'unix:c.sock'}]}]\n");
  folder.write("conf.d/10.yaml",
               "server_groups: [{name: b, servers: [{address: '10.0.0.2:80'}]}]\naccess_log: {path: b.log}\n");
  folder.write("conf.d/30.txt", "not: read\n");
  const Loaded loaded(folder);
  REQUIRE(loaded.out->ok());
  REQUIRE(loaded.config.server_groups.size() == 3);
  CHECK(*loaded.config.server_groups[1].name == "b");
  CHECK(*loaded.config.server_groups[2].name == "c");
  // paths are relative to the file that they are in
  CHECK(loaded.config.server_groups[2].servers[0].host == folder.file("conf.d/c.sock"));
  CHECK(*loaded.config.access_log.path == folder.file("conf.d/b.log"));
  CHECK(loaded.config.included == std::vector{folder.file("conf.d/10.yaml"), folder.file("conf.d/20.yaml")});
  CHECK(loaded.config.includes == std::vector{folder.file("conf.d/*.yaml")});
}

TEST_CASE("errors in included files name the file that they are in") {
  const TempDir folder;
  folder.write("main.yaml", kMain);
  make_folder(folder, "conf.d");
  const std::string bad = folder.write("conf.d/bad.yaml", "# first\nserver_groups: [{nam: b}]\n");
  const Loaded loaded(folder);
  CHECK_THAT(loaded.errors(), ContainsSubstring(bad + ":2:18: error: server_groups[1].nam: unknown key"));
  CHECK_THAT(loaded.errors(), ContainsSubstring("2 | server_groups: [{nam: b}]"));
  CHECK_THAT(loaded.out->to_json(), ContainsSubstring(bad));
  const std::string broken = folder.write("conf.d/broken.yaml", "a: [\n");
  CHECK(Loaded(folder).errors().starts_with(broken + ":2:1: error: not valid YAML"));
}

TEST_CASE("what is set in two files is an error with both places") {
  const TempDir folder;
  folder.write("main.yaml", std::string(kMain) + "workers: 2\nlimits: {memory: 1GiB}\n");
  make_folder(folder, "conf.d");
  const std::string more = folder.write("conf.d/more.yaml",
                                        "limits:\n  connections: 100\n  memory: 2GiB\nworkers: 3\n"
                                        "server_groups: [{name: a, servers: [{address: '10.0.0.1:80'}]}]\n");
  const Loaded loaded(folder);
  const std::string first = folder.file("main.yaml");
  CHECK_THAT(loaded.errors(),
             ContainsSubstring(more + ":3:3: error: limits.memory: it is set twice, first in " + first + ":5"));
  CHECK_THAT(loaded.errors(), ContainsSubstring(more + ":4:1: error: workers: it is set twice, first in " + first));
  CHECK_THAT(loaded.errors(), ContainsSubstring("the server group name a is used twice, first on " + first + ":3"));
}

TEST_CASE("includes that cannot be followed are errors") {
  const TempDir folder;
  make_folder(folder, "conf.d");
  const std::string rest = "\nlisteners: [{name: web, bind: ':8080', default_actions: [{fixed_response: {}}]}]\n";
  const auto error_of = [&](const std::string& include) {
    folder.write("main.yaml", "include: " + include + rest);
    return Loaded(folder).errors();
  };
  CHECK_THAT(error_of("missing.yaml"), ContainsSubstring("missing.yaml: No such file or directory"));
  CHECK_THAT(error_of("'*/x.yaml'"), ContainsSubstring("only the file's name may have one"));
  folder.write("conf.d/list.yaml", "- a\n");
  CHECK_THAT(error_of("conf.d/list.yaml"), ContainsSubstring("an included file is a mapping"));
  folder.write("conf.d/list.yaml", "include: other.yaml\n");
  CHECK_THAT(error_of("conf.d/list.yaml"), ContainsSubstring("list all files in the main file"));
  folder.write("conf.d/list.yaml", "{}\n");
  CHECK_THAT(error_of("[conf.d/list.yaml, conf.d/*.yaml]"), ContainsSubstring("is included twice"));
  CHECK(error_of("conf.d/list.yaml").empty());
  CHECK(error_of("'conf.d/*.json'").empty());
}
