#include "cli/commands.h"

int main(int argc, char** argv) { return albatross::cli::run(argc, argv); }
