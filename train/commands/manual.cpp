// The man page and the completion: written from the tables that parse the command line and the
// configs, so that they cannot say anything else.
#include <iostream>
#include <sstream>

#include "configs/embedded.h"
#include "configs/yaml.h"
#include "train/commands/commands.h"

namespace po = boost::program_options;

namespace plateforge {
namespace {

// --- man page, in roff ---

// Text that roff prints as it is: its own backslashes, dashes that stay ASCII, and no line that
// begins like a request.
std::string roff(const std::string& text) {
  std::string out;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
    line_begins = c == '\n';
  }
  return out;
}

std::string bold(const std::string& text) { return "\\fB" + roff(text) + "\\fR"; }

void write_option(std::ostream& out, const po::option_description& option) {
  out << ".TP\n" << bold("--" + option.long_name());
  if (const auto value = option.format_parameter(); !value.empty()) out << " " << roff(value);
  out << "\n" << roff(option.description()) << "\n";
}

void write_command(std::ostream& out, const Command& command) {
  const auto said = describe(command);
  out << ".SS " << roff(command.name) << "\n"
      << roff(command.summary) << ".\n.PP\n.nf\n"
      << roff(said.usage) << "\n.fi\n";
  for (const auto& option : said.options.options()) write_option(out, *option);
}

std::string man_page() {
  std::ostringstream out;
  out << ".TH PLATEFORGE 1 \"\" \"plateforge " << PLATEFORGE_VERSION << "\"\n"
      << ".SH NAME\nplateforge \\- train, compress and export licence\\-plate readers and "
         "detectors\n.SH SYNOPSIS\n.B plateforge\nCOMMAND [options]\n.SH COMMANDS\n";
  for (const auto& command : commands()) write_command(out, command);
  out << ".SH CONFIG KEYS\nOf a config file, and of " << bold("--set")
      << " KEY=VALUE; in parentheses the default.\n";
  for (const auto& [key, value, doc] : option_keys())
    out << ".TP\n"
        << bold(key) << (value.empty() ? "" : " (" + roff(value) + ")") << "\n"
        << roff(doc) << "\n";
  out << ".SH EXIT STATUS\n0 done, 1 a check did not hold, 2 a mistake in the input, 3 a defect of "
         "plateforge, 130 interrupted and saved.\n"
         ".SH ENVIRONMENT\n.TP\n.B PLATEFORGE_CONFIGS\nfolder of the shipped configs and region "
         "packs, where they do not lie beside the program.\n";
  return out.str();
}

// --- completion ---

std::string words_of_options(const Command& command) {
  std::string words;
  const auto said = describe(command);
  for (const auto& option : said.options.options())
    words.append(words.empty() ? "--" : " --").append(option->long_name());
  const auto group = std::string(command.name) + " ";
  for (const Command& other : commands())  // prune and prune --structured
    if (const std::string name = other.name; name.starts_with(group))
      words.append(" ").append(name.substr(group.size()));
  return words;
}

std::string completion() {
  std::string names, cases, keys;
  for (const Command& command : commands()) {
    const std::string name = command.name;
    names.append(names.empty() ? "" : "\n").append(name);
    cases += "    '" + name + "') words='" + words_of_options(command) + "' ;;\n";
  }
  for (const auto& key : option_keys()) keys.append(keys.empty() ? "" : " ").append(key.key + "=");
  return filled(
      embedded_file("completion.bash"),
      {{"VERSION", PLATEFORGE_VERSION}, {"COMMANDS", names}, {"KEYS", keys}, {"CASES", cases}});
}

// A command without options that prints a text.
int print(const Args& args, const std::string& usage, std::string (*text)()) {
  po::variables_map values;
  if (!parse_options(args, usage, po::options_description("options"), values)) return 0;
  std::cout << text();
  return 0;
}

}  // namespace

int manual_command(const Args& args) { return print(args, "plateforge manual", man_page); }

int completion_command(const Args& args) {
  return print(args, "plateforge completion", completion);
}

}  // namespace plateforge
