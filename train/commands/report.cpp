#include "configs/atomic_file.h"
#include "configs/error.h"
#include "configs/log.h"
#include "train/commands/commands.h"
#include "train/report/page.h"
#include "train/report/run_report.h"

namespace po = boost::program_options;

namespace plateforge {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// Rows of whatever a measuring command wrote with --json: a list of objects, or objects by name.
Json rows_of(const Json& json) {
  if (json.is_array()) return json;
  Json rows = Json::array();
  for (const auto& [name, value] : json.items()) {
    if (!value.is_object()) continue;
    Json row = {{"name", name}};
    for (const auto& [key, entry] : value.items())
      if (!entry.is_structured()) row[key] = entry;
    rows.push_back(row);
  }
  if (!rows.empty()) return rows;
  Json only = Json::object();
  for (const auto& [key, entry] : json.items())
    if (!entry.is_structured()) only[key] = entry;
  return Json::array({only});
}

Json table_of(const std::string& file) {
  const auto json = Json::parse(read_file(file), nullptr, /*allow_exceptions=*/false);
  require(json.is_structured(), file, " is no JSON that a command wrote with --json");
  return {{"title", fs::path(file).stem().string()}, {"rows", rows_of(json)}};
}

}  // namespace

int report_command(const Args& args) {
  std::vector<std::string> runs, tables;
  std::string out, title;
  bool no_pictures = false;
  po::options_description options("options");
  options.add_options()("run", po::value(&runs)->required(),
                        "run folders; stages are shown one by one")(
      "out", po::value(&out), "the page; default: report.html in the first run folder")(
      "table", po::value(&tables),
      "a file that a measuring command wrote with --json, shown as a table")(
      "title", po::value(&title), "default: the names of the runs")(
      "no-pictures", po::bool_switch(&no_pictures), "do not open the runs' data");
  po::positional_options_description positional;
  positional.add("run", -1);
  po::variables_map values;
  if (!parse_options(args, "plateforge report RUN...", options, values, positional)) return 0;
  set_up_runtime({.device = "cpu"});

  Json content = {{"title", title},
                  {"version", PLATEFORGE_VERSION},
                  {"runs", Json::array()},
                  {"tables", Json::array()}};
  std::string names;
  for (const auto& run : runs)
    for (const auto& stage : stage_folders(run)) {
      auto report = run_report(stage, {.pictures = !no_pictures});
      if (stage != fs::path(run))
        report["name"] = fs::path(run).filename().string() + "/" + stage.filename().string();
      names += (names.empty() ? "" : ", ") + report["name"].get<std::string>();
      content["runs"].push_back(std::move(report));
    }
  for (const auto& file : tables) content["tables"].push_back(table_of(file));
  if (title.empty()) content["title"] = names;
  if (out.empty()) out = (fs::path(runs.at(0)) / "report.html").string();
  write_file_atomically(out, report_page(content));
  log_info("report: " + out);
  return 0;
}

}  // namespace plateforge
