#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace plateforge {

// Reads the pickles inside PyTorch weight files without ever executing anything: a fixed list of
// opcodes, and of the names a pickle may mention only OrderedDict, the tensor rebuild functions and
// the storage types. Those become plain data below. Everything else is an Error naming the opcode
// or the name, as are pickles that are cut off or malformed. The format: Python's pickletools.
struct PickleValue;
using PickleRef = const PickleValue*;  // owned by the Unpickler

struct PickleNone {};
struct PickleLong {  // an integer beyond 64 bits, little-endian two's complement
  std::string bytes;
};
struct PickleMark {};
struct PickleGlobal {
  std::string name;  // "module name"
};
struct PickleTuple {
  std::vector<PickleRef> items;
};
struct PickleList {
  std::vector<PickleRef> items;
};
struct PickleDict {
  std::vector<std::pair<PickleRef, PickleRef>> items;
  PickleRef find(std::string_view key) const;  // null when absent
};
struct PickleStorage {
  std::string key;
  at::ScalarType type = at::kFloat;
  int64_t count = 0;  // elements
};
struct PickleTensor {
  PickleStorage storage;
  int64_t offset = 0;  // elements
  std::vector<int64_t> sizes, strides;
};

struct PickleValue {
  std::variant<PickleNone, PickleMark, bool, int64_t, double, std::string, PickleLong, PickleGlobal,
               PickleTuple, PickleList, PickleDict, PickleStorage, PickleTensor>
      value;

  template <class T>
  const T* as() const {
    return std::get_if<T>(&value);
  }
};

class Unpickler {
 public:
  // `bytes` must outlive the reader; `origin` names the file in errors.
  Unpickler(std::string_view bytes, std::string origin)
      : bytes_(bytes), origin_(std::move(origin)) {}

  // The next pickle. Its values stay valid as long as this object.
  PickleRef load();
  // Bytes consumed so far.
  size_t position() const { return position_; }
  // Every storage that the pickles so far mention.
  const std::vector<PickleStorage>& storages() const { return storages_; }

 private:
  bool step(uint8_t opcode);  // false at STOP
  bool push_constant(uint8_t opcode);
  bool build_container(uint8_t opcode);
  bool use_memo(uint8_t opcode);
  bool use_global(uint8_t opcode);

  std::string_view take(size_t count);
  template <class T>
  T number();
  std::string line();

  PickleValue* push(PickleValue value);
  PickleValue* pop();
  template <class T>
  T* top(const char* expected);
  std::vector<PickleRef> pop_to_mark();
  void add_pairs(PickleDict& dict, const std::vector<PickleRef>& items);
  void remember(uint64_t index);
  PickleValue reduce(const PickleGlobal& callable, const PickleTuple& arguments);
  PickleTensor rebuild_tensor(const PickleTuple& arguments);
  PickleStorage persistent(PickleRef id);
  [[noreturn]] void reject(const std::string& problem) const;

  std::string_view bytes_;
  std::string origin_;
  size_t position_ = 0;
  // Flat ownership: however deep or cyclic a pickle is, destruction does not recurse.
  std::deque<PickleValue> values_;
  std::vector<PickleValue*> stack_;
  std::vector<PickleValue*> memo_;
  std::vector<PickleStorage> storages_;
};

}  // namespace plateforge
