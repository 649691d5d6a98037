// SPDX-License-Identifier: Apache-2.0
#include "tools/run_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "recorder/collector/option_values.h"

namespace spyglass {
namespace {

constexpr int kOwnFailure = 125;
constexpr std::uint64_t kShortestIntervalNs = 1'000'000;
constexpr std::uint32_t kMaxSampleHz = 20'000;

// Options whose value is the next argument.
constexpr std::string_view kWithValue[] = {
    "-o",          "--output",     "--trace",        "--on-full",  "--ring-size",
    "--tree-size", "--operations", "--max-stack",    "--interval", "--include",
    "--exclude",   "--max-depth",  "--max-overhead", "--follow",   "-F",
    "--frequency", "--sampler",    "--memory",       "--serve-fd", "--serve-name"};

// Where PROGRAM stands: the first argument that is no option. Everything from there on is its own.
int find_program(int argc, char** argv) {
  for (int index = 1; index < argc; ++index) {
    const std::string_view argument = argv[index];
    if (argument == "--") {
      return index;
    }
    if (argument.size() < 2 || argument.front() != '-') {
      return index;
    }
    if (std::find(std::begin(kWithValue), std::end(kWithValue), argument) != std::end(kWithValue)) {
      ++index;
    }
  }
  return argc;
}

// An option whose text a function of option_values.h reads into `value`.
template <typename T, typename Parse>
CLI::Option* add_parsed(CLI::App& app, const std::string& name, const char* variable, T& value,
                        Parse parse, const char* help, const char* form) {
  return app
      .add_option_function<std::string>(
          name,
          [&value, parse](const std::string& text) {
            auto parsed = parse(text);
            if (!parsed) {
              throw CLI::ValidationError(parsed.error().what);
            }
            value = *parsed;
          },
          help)
      ->envname(variable)
      ->type_name(form);
}

Result<collector::Follow> parse_follow(std::string_view text) {
  if (text == "tree" || text == "main") {
    return text == "tree" ? collector::Follow::kTree : collector::Follow::kMain;
  }
  return Error{ErrorKind::kUsage,
               "bad --follow value '" + std::string(text) + "': expected tree or main"};
}

void add_recording_options(CLI::App& app, collector::CollectorOptions& session) {
  app.add_option("-o,--output", session.output,
                 "The recording; %p pid, %e program, %h host, %t time (default %e.%p.sgz)")
      ->envname("SPYGLASS_OUTPUT")
      ->type_name("FILE");
  app.add_flag("-f,--force", session.force, "Replace an existing file")->envname("SPYGLASS_FORCE");
  add_parsed(app, "--trace", "SPYGLASS_TRACE", session.span_threshold_ns,
             collector::parse_span_threshold,
             "Keep calls that last at least this long as spans (default 10us)", "DURATION|all|off");
  add_parsed(app, "--on-full", "SPYGLASS_ON_FULL", session.on_full, collector::parse_on_full,
             "When a ring is full (default drop-newest)", "drop-newest|drop-oldest|block");
  add_parsed(app, "--ring-size", "SPYGLASS_RING_SIZE", session.ring_bytes, collector::parse_size,
             "Ring of each thread", "SIZE");
  add_parsed(app, "--tree-size", "SPYGLASS_TREE_SIZE", session.tree_bytes, collector::parse_size,
             "Bound of each thread's call tree (default 64M)", "SIZE");
  add_parsed(app, "--interval", "SPYGLASS_INTERVAL", session.interval_ns, collector::parse_duration,
             "Between snapshots of the counters (default 100ms)", "DURATION");
}

void add_sampling_options(CLI::App& app, collector::CollectorOptions& session) {
  app.add_option("-F,--frequency", session.sample_hz,
                 "CPU samples for each second of CPU time; 0: none (default 1000)")
      ->envname("SPYGLASS_FREQUENCY")
      ->type_name("HZ")
      ->check(CLI::Range(0U, kMaxSampleHz));
  add_parsed(app, "--sampler", "SPYGLASS_SAMPLER", session.sampler, collector::parse_sampler,
             "Who takes CPU samples (default auto: perf, or the timer where perf is refused)",
             "auto|perf|timer|off");
  add_parsed(app, "--memory", "SPYGLASS_MEMORY", session.memory, collector::parse_memory,
             "Record every allocation (default), a sample of them, one in SIZE bytes, or none",
             "full|sample[=SIZE]|off");
}

void add_choice_options(CLI::App& app, collector::CollectorOptions& session) {
  app.add_option("--include", session.include, "Record only functions or modules that match")
      ->envname("SPYGLASS_INCLUDE")
      ->type_name("PATTERN")
      ->allow_extra_args(false);
  app.add_option("--exclude", session.exclude, "Don't record functions or modules that match")
      ->envname("SPYGLASS_EXCLUDE")
      ->type_name("PATTERN")
      ->allow_extra_args(false);
  app.add_option("--max-depth", session.max_depth, "Don't record calls nested deeper")
      ->envname("SPYGLASS_MAX_DEPTH")
      ->type_name("N");
  add_parsed(
      app, "--operations", "SPYGLASS_OPERATIONS", session.operations, collector::parse_operations,
      "Record waits, input and output, locks, exceptions (default all)", "all|none|CLASS,...");
  app.add_option("--max-stack", session.max_stack_frames, "Follow stacks no further (default 512)")
      ->envname("SPYGLASS_MAX_STACK")
      ->type_name("FRAMES")
      ->check(CLI::Range(1, 100000));
  app.add_option("--max-overhead", session.max_overhead_percent,
                 "Time only a sample of the calls of hot short functions when hooks cost more")
      ->envname("SPYGLASS_MAX_OVERHEAD")
      ->type_name("PERCENT")
      ->check(CLI::Range(0.0, 10000.0));
  add_parsed(app, "--follow", "SPYGLASS_FOLLOW", session.follow, parse_follow,
             "End with the last process (default) or with the program", "tree|main");
  app.add_flag("--strict", session.strict, "Don't run a program that can't be recorded")
      ->envname("SPYGLASS_STRICT");
  app.add_flag("--no-perf", session.approximate_cpu, "Measure CPU time without perf (approximate)")
      ->envname("SPYGLASS_NO_PERF");
  app.add_flag("-q,--quiet", session.quiet, "Print errors only")->envname("SPYGLASS_QUIET");
  app.add_flag("-v,--verbose", session.verbose, "Say more")->envname("SPYGLASS_VERBOSE");
}

}  // namespace

std::optional<RunOptions> read_run_options(int argc, char** argv, int& exit_code) {
  RunOptions options;
  CLI::App app(
      "Runs PROGRAM and records where its time goes, call path by call path.\n"
      "Each option can also be given as a variable SPYGLASS_<NAME>.",
      "spyglass-run");
  app.get_formatter()->label("OPTIONS", "OPTIONS] [--] PROGRAM [ARGS...");
  app.set_version_flag("--version", "spyglass-run " SPYGLASS_VERSION);
  add_recording_options(app, options.session);
  add_choice_options(app, options.session);
  add_sampling_options(app, options.session);
  app.add_option("--serve-fd", options.serve_fd)->group("");
  app.add_option("--serve-name", options.serve_name)->group("");

  const int program = find_program(argc, argv);
  try {
    app.parse(program, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      exit_code = app.exit(error);
    } else {
      std::fprintf(stderr, "spyglass-run: %s\n", error.what());
      exit_code = kOwnFailure;
    }
    return std::nullopt;
  }
  const bool dashes = program < argc && std::string_view(argv[program]) == "--";
  options.command.assign(argv + program + (dashes ? 1 : 0), argv + argc);
  options.session.interval_ns = std::max(options.session.interval_ns, kShortestIntervalNs);
  if (options.command.empty() && options.serve_fd < 0) {
    std::fprintf(stderr, "spyglass-run: no program given (see spyglass-run --help)\n");
    exit_code = kOwnFailure;
    return std::nullopt;
  }
  return options;
}

}  // namespace spyglass
