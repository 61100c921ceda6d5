#include "models/pickle.h"

#include <bit>
#include <cstring>
#include <map>

#include "configs/error.h"

namespace plateforge {
namespace {

// Opcodes by their pickletools names; only those that PyTorch's files need.
enum Opcode : uint8_t {
  kMark = '(',
  kStop = '.',
  kEmptyTuple = ')',
  kEmptyList = ']',
  kEmptyDict = '}',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kSetItems = 'u',
  kProto = 0x80,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kShortBinUnicode = 0x8c,
  kMemoize = 0x94,
  kFrame = 0x95,
};

const std::map<std::string, at::ScalarType, std::less<>>& storage_types() {
  static const std::map<std::string, at::ScalarType, std::less<>> table = {
      {"torch BFloat16Storage", at::kBFloat16}, {"torch BoolStorage", at::kBool},
      {"torch ByteStorage", at::kByte},         {"torch CharStorage", at::kChar},
      {"torch DoubleStorage", at::kDouble},     {"torch FloatStorage", at::kFloat},
      {"torch HalfStorage", at::kHalf},         {"torch IntStorage", at::kInt},
      {"torch LongStorage", at::kLong},         {"torch ShortStorage", at::kShort}};
  return table;
}

constexpr auto kOrderedDict = "collections OrderedDict";
constexpr auto kRebuildTensor = "torch._utils _rebuild_tensor_v2";
constexpr auto kRebuildParameter = "torch._utils _rebuild_parameter";

bool known_global(const std::string& name) {
  return name == kOrderedDict || name == kRebuildTensor || name == kRebuildParameter ||
         storage_types().contains(name);
}

// Files name things, and may name them with anything: keep errors printable and short.
std::string printable(std::string_view text) {
  std::string result;
  for (const char c : text.substr(0, 60)) result += c >= ' ' && c <= '~' ? c : '?';
  return result;
}

}  // namespace

PickleRef PickleDict::find(std::string_view key) const {
  for (const auto& [name, value] : items)
    if (const auto* text = name->as<std::string>(); text != nullptr && *text == key) return value;
  return nullptr;
}

void Unpickler::reject(const std::string& problem) const {
  fail(origin_, ": ", problem, " at byte ", position_, " of the pickle");
}

std::string_view Unpickler::take(size_t count) {
  if (count > bytes_.size() - position_) reject("cut off");
  const auto part = bytes_.substr(position_, count);
  position_ += count;
  return part;
}

template <class T>
T Unpickler::number() {
  T value;
  std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
  return value;
}

std::string Unpickler::line() {
  const auto end = bytes_.find('\n', position_);
  if (end == std::string_view::npos) reject("cut off");
  const auto text = take(end - position_);
  ++position_;
  return std::string(text);
}

PickleValue* Unpickler::push(PickleValue value) {
  values_.push_back(std::move(value));
  stack_.push_back(&values_.back());
  return stack_.back();
}

PickleValue* Unpickler::pop() {
  if (stack_.empty()) reject("takes a value from an empty stack");
  auto* value = stack_.back();
  stack_.pop_back();
  return value;
}

template <class T>
T* Unpickler::top(const char* expected) {
  auto* found = stack_.empty() ? nullptr : std::get_if<T>(&stack_.back()->value);
  if (found == nullptr) reject(std::string("expects ") + expected);
  return found;
}

std::vector<PickleRef> Unpickler::pop_to_mark() {
  size_t mark = stack_.size();
  while (mark > 0 && stack_[mark - 1]->as<PickleMark>() == nullptr) --mark;
  if (mark == 0) reject("lacks a mark");
  std::vector<PickleRef> items(stack_.begin() + static_cast<ptrdiff_t>(mark), stack_.end());
  stack_.resize(mark - 1);
  return items;
}

void Unpickler::add_pairs(PickleDict& dict, const std::vector<PickleRef>& items) {
  if (items.size() % 2 != 0) reject("has a key without a value");
  for (size_t i = 0; i < items.size(); i += 2) dict.items.emplace_back(items[i], items[i + 1]);
}

PickleRef Unpickler::load() {
  stack_.clear();
  memo_.clear();
  while (step(number<uint8_t>())) {
  }
  auto* result = pop();
  if (!stack_.empty()) reject("leaves values behind");
  return result;
}

bool Unpickler::step(uint8_t opcode) {
  if (opcode == kStop) return false;
  if (opcode == kProto) {
    const auto protocol = number<uint8_t>();
    if (protocol < 2 || protocol > 4) reject("has protocol " + std::to_string(protocol));
  } else if (opcode == kFrame) {
    number<uint64_t>();  // a reading hint
  } else if (!push_constant(opcode) && !build_container(opcode) && !use_memo(opcode) &&
             !use_global(opcode)) {
    reject("uses opcode " + std::to_string(opcode) + ", which weight files do not need");
  }
  return true;
}

bool Unpickler::push_constant(uint8_t opcode) {
  switch (opcode) {
    case kNone:
      push({PickleNone{}});
      return true;
    case kNewTrue:
      push({true});
      return true;
    case kNewFalse:
      push({false});
      return true;
    case kBinInt:
      push({static_cast<int64_t>(number<int32_t>())});
      return true;
    case kBinInt1:
      push({static_cast<int64_t>(number<uint8_t>())});
      return true;
    case kBinInt2:
      push({static_cast<int64_t>(number<uint16_t>())});
      return true;
    case kBinFloat:
      push({std::bit_cast<double>(__builtin_bswap64(number<uint64_t>()))});
      return true;
    case kBinUnicode:
    case kBinString:
      push({std::string(take(number<uint32_t>()))});
      return true;
    case kShortBinUnicode:
    case kShortBinString:
      push({std::string(take(number<uint8_t>()))});
      return true;
    case kLong1: {
      const auto bytes = take(number<uint8_t>());
      if (bytes.size() > sizeof(int64_t)) {
        push({PickleLong{std::string(bytes)}});
        return true;
      }
      const bool negative = !bytes.empty() && (bytes.back() & 0x80) != 0;
      int64_t value = negative ? -1 : 0;
      std::memcpy(&value, bytes.data(), bytes.size());
      push({value});
      return true;
    }
    default:
      return false;
  }
}

bool Unpickler::build_container(uint8_t opcode) {
  const auto tuple_of = [&](size_t count) {
    PickleTuple tuple{std::vector<PickleRef>(count)};
    for (size_t i = count; i-- > 0;) tuple.items[i] = pop();
    push({std::move(tuple)});
  };
  switch (opcode) {
    case kMark:
      push({PickleMark{}});
      return true;
    case kEmptyTuple:
      push({PickleTuple{}});
      return true;
    case kEmptyList:
      push({PickleList{}});
      return true;
    case kEmptyDict:
      push({PickleDict{}});
      return true;
    case kTuple1:
      tuple_of(1);
      return true;
    case kTuple2:
      tuple_of(2);
      return true;
    case kTuple3:
      tuple_of(3);
      return true;
    case kTuple:
      push({PickleTuple{pop_to_mark()}});
      return true;
    case kAppend: {
      const auto* item = pop();
      top<PickleList>("a list")->items.push_back(item);
      return true;
    }
    case kAppends: {
      const auto items = pop_to_mark();
      auto& list = top<PickleList>("a list")->items;
      list.insert(list.end(), items.begin(), items.end());
      return true;
    }
    case kSetItem: {
      const auto* value = pop();
      const auto* key = pop();
      add_pairs(*top<PickleDict>("a dict"), {key, value});
      return true;
    }
    case kSetItems: {
      const auto items = pop_to_mark();
      add_pairs(*top<PickleDict>("a dict"), items);
      return true;
    }
    default:
      return false;
  }
}

void Unpickler::remember(uint64_t index) {
  if (stack_.empty()) reject("stores a value of an empty stack");
  // Memo indices count up from 0, so one beyond the bytes read so far is an attempt on our memory.
  if (index > position_) reject("has memo index " + std::to_string(index));
  if (index >= memo_.size()) memo_.resize(index + 1, nullptr);
  memo_[index] = stack_.back();
}

bool Unpickler::use_memo(uint8_t opcode) {
  const auto recall = [&](uint64_t index) {
    if (index >= memo_.size() || memo_[index] == nullptr)
      reject("recalls memo " + std::to_string(index) + ", which was never stored");
    stack_.push_back(memo_[index]);
  };
  switch (opcode) {
    case kBinPut:
      remember(number<uint8_t>());
      return true;
    case kLongBinPut:
      remember(number<uint32_t>());
      return true;
    case kMemoize:
      remember(memo_.size());
      return true;
    case kBinGet:
      recall(number<uint8_t>());
      return true;
    case kLongBinGet:
      recall(number<uint32_t>());
      return true;
    default:
      return false;
  }
}

bool Unpickler::use_global(uint8_t opcode) {
  switch (opcode) {
    case kGlobal: {
      const auto module = line();
      const auto name = module + " " + line();
      if (!known_global(name))
        reject("names '" + printable(name) + "', which is not part of a weight file");
      push({PickleGlobal{name}});
      return true;
    }
    case kBinPersId:
      push({persistent(pop())});
      return true;
    case kReduce: {
      const auto* arguments = pop()->as<PickleTuple>();
      const auto* callable = pop()->as<PickleGlobal>();
      if (arguments == nullptr || callable == nullptr)
        reject("calls something that is no function");
      push(reduce(*callable, *arguments));
      return true;
    }
    case kBuild: {
      pop();  // attributes such as _metadata: not weights
      top<PickleDict>("a dict");
      return true;
    }
    default:
      return false;
  }
}

PickleValue Unpickler::reduce(const PickleGlobal& callable, const PickleTuple& arguments) {
  if (callable.name == kOrderedDict && arguments.items.empty()) return {PickleDict{}};
  if (callable.name == kRebuildTensor) return {rebuild_tensor(arguments)};
  if (callable.name == kRebuildParameter && !arguments.items.empty())
    if (const auto* tensor = arguments.items[0]->as<PickleTensor>()) return {*tensor};
  reject("calls '" + callable.name + "' in an unknown way");
}

// (storage, offset, sizes, strides, requires_grad, hooks[, metadata])
PickleTensor Unpickler::rebuild_tensor(const PickleTuple& arguments) {
  const auto& items = arguments.items;
  const auto* storage = items.size() >= 4 ? items[0]->as<PickleStorage>() : nullptr;
  const auto* offset = storage != nullptr ? items[1]->as<int64_t>() : nullptr;
  const auto* sizes = offset != nullptr ? items[2]->as<PickleTuple>() : nullptr;
  const auto* strides = sizes != nullptr ? items[3]->as<PickleTuple>() : nullptr;
  if (strides == nullptr || sizes->items.size() != strides->items.size())
    reject("describes a tensor in an unknown way");
  PickleTensor tensor{*storage, *offset, {}, {}};
  for (size_t i = 0; i < sizes->items.size(); ++i) {
    const auto* size = sizes->items[i]->as<int64_t>();
    const auto* stride = strides->items[i]->as<int64_t>();
    if (size == nullptr || stride == nullptr) reject("describes a tensor in an unknown way");
    tensor.sizes.push_back(*size);
    tensor.strides.push_back(*stride);
  }
  return tensor;
}

// ('storage', type, key, location, count[, view])
PickleStorage Unpickler::persistent(PickleRef id) {
  const auto* tuple = id->as<PickleTuple>();
  if (tuple == nullptr || tuple->items.size() < 5) reject("describes a storage in an unknown way");
  const auto& items = tuple->items;
  const auto* type = items[1]->as<PickleGlobal>();
  const auto* key = items[2]->as<std::string>();
  const auto* count = items[4]->as<int64_t>();
  const bool view = items.size() > 5 && items[5]->as<PickleNone>() == nullptr;
  if (type == nullptr || key == nullptr || count == nullptr || *count < 0 || view ||
      !storage_types().contains(type->name))
    reject("describes a storage in an unknown way");
  storages_.push_back({*key, storage_types().at(type->name), *count});
  return storages_.back();
}

}  // namespace plateforge
