#include "models/pth.h"

#include <ATen/ATen.h>

#include <cstring>
#include <map>

#include "configs/error.h"
#include "models/pickle.h"
#include "models/zip.h"

namespace plateforge {
namespace {

constexpr std::string_view kZipMagic = "PK\x03\x04";
constexpr std::string_view kPickleMagic = "\x80\x02";
// 0x1950a86a20f9469cfc6c, little-endian.
constexpr std::string_view kLegacyMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr int64_t kLegacyProtocol = 1001;

// The raw elements of each storage by its key.
using StorageBytes = std::map<std::string, std::string_view, std::less<>>;

// A storage as a one-dimensional tensor; tensors that share it stay views of one copy.
class Storages {
 public:
  Storages(const StorageBytes& bytes, const std::string& origin) : bytes_(bytes), origin_(origin) {}

  const at::Tensor& get(const PickleStorage& storage) {
    if (const auto cached = cache_.find(storage.key); cached != cache_.end()) {
      require(
          cached->second.scalar_type() == storage.type && cached->second.numel() == storage.count,
          origin_, ": describes one storage in two ways");
      return cached->second;
    }
    const auto found = bytes_.find(storage.key);
    require(found != bytes_.end(), origin_, ": lacks a storage that a tensor needs");
    const auto raw = found->second;
    const auto element = c10::elementSize(storage.type);
    require(
        raw.size() % element == 0 && raw.size() / element == static_cast<uint64_t>(storage.count),
        origin_, ": a storage of ", storage.count, " elements has ", raw.size(), " bytes");
    auto tensor = at::empty({storage.count}, storage.type);
    if (!raw.empty()) std::memcpy(tensor.mutable_data_ptr(), raw.data(), raw.size());
    return cache_.emplace(storage.key, tensor).first->second;
  }

 private:
  const StorageBytes& bytes_;
  const std::string& origin_;
  std::map<std::string, at::Tensor> cache_;
};

// Whether every element lies inside a storage of `count`.
bool fits(const PickleTensor& tensor, int64_t count) {
  if (tensor.offset < 0 || tensor.sizes.size() > 16) return false;
  int64_t last = tensor.offset, elements = 1;
  bool empty = false;
  for (size_t i = 0; i < tensor.sizes.size(); ++i) {
    const auto size = tensor.sizes[i], stride = tensor.strides[i];
    if (size < 0 || stride < 0) return false;
    empty |= size == 0;
    int64_t reach = 0;
    if (size > 0 && (__builtin_mul_overflow(size - 1, stride, &reach) ||
                     __builtin_add_overflow(last, reach, &last) ||
                     __builtin_mul_overflow(elements, size, &elements)))
      return false;
  }
  return empty || (last < count && elements <= count);
}

TensorDict collect(PickleRef object, const StorageBytes& bytes, const std::string& origin) {
  const auto* dict = object->as<PickleDict>();
  require(dict != nullptr, origin, ": holds no dict of tensors");
  if (const auto nested = dict->find("state_dict"))
    if (nested->as<PickleDict>() != nullptr) dict = nested->as<PickleDict>();
  Storages storages(bytes, origin);
  TensorDict tensors;
  for (const auto& [key, value] : dict->items) {
    const auto* name = key->as<std::string>();
    require(name != nullptr, origin, ": has a tensor whose name is not a text");
    const auto* tensor = value->as<PickleTensor>();
    require(tensor != nullptr, origin, ": entry '", *name, "' is not a tensor");
    const auto& storage = storages.get(tensor->storage);
    require(fits(*tensor, storage.numel()), origin, ": tensor '", *name,
            "' reaches outside its storage");
    tensors[*name] = storage.as_strided(tensor->sizes, tensor->strides, tensor->offset);
  }
  return tensors;
}

TensorDict parse_zip(std::string_view bytes, const std::string& origin) {
  const auto members = read_stored_zip(bytes, origin);
  const auto is_pickle = [](const std::string& name) { return name.ends_with("/data.pkl"); };
  std::string folder;
  for (const auto& [name, data] : members)
    if (is_pickle(name)) folder = name.substr(0, name.size() - std::strlen("data.pkl"));
  require(!folder.empty(), origin, ": a zip archive without data.pkl is not a PyTorch weight file");
  if (const auto order = members.find(folder + "byteorder"); order != members.end())
    require(order->second == "little", origin, ": written on a big-endian machine");
  const auto prefix = folder + "data/";
  StorageBytes storages;
  for (const auto& [name, data] : members)
    if (name.starts_with(prefix)) storages[name.substr(prefix.size())] = data;
  Unpickler pickle(members.at(folder + "data.pkl"), origin);
  return collect(pickle.load(), storages, origin);
}

// Five pickles (magic, protocol, machine, object, storage keys), then per key an int64 element
// count and the raw elements. Element sizes come from the object's storage types.
TensorDict parse_legacy(std::string_view bytes, const std::string& origin) {
  Unpickler pickle(bytes, origin);
  const auto* magic = pickle.load()->as<PickleLong>();
  require(magic != nullptr && magic->bytes == kLegacyMagic, origin,
          ": a pickle, but not a PyTorch weight file");
  const auto* protocol = pickle.load()->as<int64_t>();
  require(protocol != nullptr && *protocol == kLegacyProtocol, origin,
          ": unknown version of the PyTorch file format");
  const auto* machine = pickle.load()->as<PickleDict>();
  const auto* little = machine != nullptr ? machine->find("little_endian") : nullptr;
  require(little != nullptr && little->as<bool>() != nullptr && *little->as<bool>(), origin,
          ": not written on a little-endian machine");
  const auto* object = pickle.load();
  std::map<std::string, PickleStorage, std::less<>> described;
  for (const auto& storage : pickle.storages()) described[storage.key] = storage;
  const auto* keys = pickle.load()->as<PickleList>();
  require(keys != nullptr, origin, ": lacks the list of its storages");

  StorageBytes storages;
  auto rest = bytes.substr(pickle.position());
  for (const auto* item : keys->items) {
    const auto* key = item->as<std::string>();
    const auto known = key != nullptr ? described.find(*key) : described.end();
    require(known != described.end(), origin, ": lists a storage that no tensor uses");
    int64_t count = 0;
    require(rest.size() >= sizeof(count), origin, ": cut off before its storages");
    std::memcpy(&count, rest.data(), sizeof(count));
    rest.remove_prefix(sizeof(count));
    const auto element = static_cast<int64_t>(c10::elementSize(known->second.type));
    require(count >= 0 && count <= static_cast<int64_t>(rest.size()) / element, origin,
            ": cut off inside a storage of ", count, " elements");
    storages[*key] = rest.substr(0, static_cast<size_t>(count * element));
    rest.remove_prefix(static_cast<size_t>(count * element));
  }
  return collect(object, storages, origin);
}

}  // namespace

bool looks_like_pth(std::string_view bytes) {
  return bytes.starts_with(kZipMagic) || bytes.starts_with(kPickleMagic);
}

TensorDict parse_pth(std::string_view bytes, const std::string& origin) {
  return bytes.starts_with(kZipMagic) ? parse_zip(bytes, origin) : parse_legacy(bytes, origin);
}

}  // namespace plateforge
