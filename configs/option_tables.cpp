#include <array>
#include <map>

#include "configs/numbers.h"
#include "configs/prune_sweep.h"
#include "configs/region_pack.h"
#include "configs/suggest.h"
#include "configs/yaml.h"

namespace plateforge {

namespace {

// A value as --set takes it; empty for an empty text and for what has no text of one line.
struct ValueText {
  static std::string of(bool value) { return value ? "true" : "false"; }
  static std::string of(int64_t value) { return std::to_string(value); }
  static std::string of(double value) { return number_text(value); }
  static std::string of(const std::string& value) { return value; }
  static std::string of(const Rgb& value) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string colour = "#";
    for (const uint8_t byte : value) colour += {kDigits[byte / 16], kDigits[byte % 16]};
    return colour;
  }
  template <class T>
  static std::string of(const std::vector<T>& values) {
    std::vector<std::string> items;
    if constexpr (!Section<T>) {
      for (const auto& value : values) items.push_back(of(value));
    }
    return "[" + join(items) + "]";
  }
  static std::string of(const std::map<std::string, std::string>&) { return ""; }
};

std::string in_backquotes(const std::string& text) { return text.empty() ? "" : "`" + text + "`"; }

// The documenting visitor: a Markdown table per section, nested sections after their parent's.
class TableVisitor {
 public:
  explicit TableVisitor(std::string name) : name_(std::move(name)) {}

  template <class T, class Constraint>
  void operator()(const char* key, T& value, const char* doc, const Constraint& constraint) {
    const std::string path = name_.empty() ? key : name_ + "." + key;
    if constexpr (Section<T>) {
      nest(path, value);
    } else {
      rows_ += std::string("| `") + key + "` | " + in_backquotes(ValueText::of(value)) + " | " +
               allowed(value, constraint) + " | " + doc + " |\n";
      nest_items(path + "[]", value);
    }
  }

  std::string text() const {
    const std::string heading = name_.empty() ? "" : "**" + name_ + "**\n\n";
    const std::string table =
        rows_.empty()
            ? ""
            : heading + "| key | default | allowed | meaning |\n|---|---|---|---|\n" + rows_ + "\n";
    return table + nested_;
  }

 private:
  template <class T>
  void nest(const std::string& path, T& value) {
    TableVisitor inner(path);
    value.visit(inner);
    nested_ += inner.text();
  }
  template <class T>
  void nest_items(const std::string&, T&) {}
  template <Section T>
  void nest_items(const std::string& path, std::vector<T>&) {
    T item;
    nest(path, item);
  }

  static std::string allowed(const auto&, const Range& range) { return range_text(range); }
  static std::string allowed(const auto&, const Choice& choice) {
    return "`" + join(choice.allowed, "`, `") + "`";
  }
  static std::string allowed(bool, const Anything&) { return "`true`, `false`"; }
  static std::string allowed(const Rgb&, const Anything&) { return "colour"; }
  static std::string allowed(const std::string&, const Anything&) { return "text"; }
  static std::string allowed(const std::map<std::string, std::string>&, const Anything&) {
    return "names with text";
  }
  template <class T>
  static std::string allowed(const std::vector<T>&, const Anything&) {
    return "list";
  }

  std::string name_, rows_, nested_;
};

// Every key that --set takes; what stands in lists of sections is set as a whole list.
class KeyVisitor {
 public:
  KeyVisitor(std::string prefix, std::vector<OptionKey>& keys)
      : prefix_(std::move(prefix)), keys_(keys) {}

  template <class T, class Constraint>
  void operator()(const char* key, T& value, const char* doc, const Constraint&) {
    if constexpr (Section<T>) {
      KeyVisitor inner(prefix_ + key + ".", keys_);
      value.visit(inner);
    } else {
      keys_.push_back({prefix_ + key, ValueText::of(value), doc});
    }
  }

 private:
  std::string prefix_;
  std::vector<OptionKey>& keys_;
};

template <class Config>
std::string tables() {
  Config config;
  TableVisitor visitor("");
  config.visit(visitor);
  std::string text = visitor.text();
  while (text.ends_with("\n\n")) text.pop_back();
  return text;
}

}  // namespace

std::vector<OptionKey> option_keys() {
  std::vector<OptionKey> keys;
  RunConfig config;
  KeyVisitor visitor("", keys);
  config.visit(visitor);
  return keys;
}

std::string option_tables() { return tables<RunConfig>(); }
std::string sweep_tables() { return tables<PruneSweepConfig>(); }
std::string region_tables() { return tables<RegionPack>(); }

}  // namespace plateforge
