#include "models/graph/graph_file.h"

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "configs/error.h"

namespace plateforge {
namespace {

using Json = nlohmann::json;

constexpr std::pair<Origin, const char*> kOrigins[] = {{Origin::input, "input"},
                                                       {Origin::computed, "computed"},
                                                       {Origin::parameter, "parameter"},
                                                       {Origin::buffer, "buffer"},
                                                       {Origin::literal, "literal"}};

const char* origin_name(Origin origin) {
  for (const auto& [known, name] : kOrigins) {
    if (known == origin) return name;
  }
  throw std::logic_error("origin_name: unknown origin");
}

Origin origin_of(const std::string& name) {
  for (const auto& [known, text] : kOrigins) {
    if (name == text) return known;
  }
  fail("'", name, "' is no origin of a tensor");
}

// An operation of that name with its default attributes.
template <size_t... I>
Op op_named(const std::string& name, std::index_sequence<I...>) {
  std::optional<Op> found;
  ((name == std::variant_alternative_t<I, Op>::kName
        ? void(found = std::variant_alternative_t<I, Op>{})
        : void()),
   ...);
  require(found.has_value(), "unknown operation '", name, "'; a newer plateforge wrote it");
  return *found;
}

Op op_named(const std::string& name) {
  return op_named(name, std::make_index_sequence<std::variant_size_v<Op>>{});
}

Json attributes_json(Op op) {
  Json json = Json::object();
  std::visit([&](auto& o) { o.visit([&](const char* key, auto& value) { json[key] = value; }); },
             op);
  return json;
}

void read_attributes(Op& op, const Json& json) {
  std::set<std::string> known;
  std::visit(
      [&](auto& o) {
        o.visit(
            [&](const char* key, auto& value) { known.insert(key), json.at(key).get_to(value); });
      },
      op);
  for (const auto& [key, value] : json.items()) {
    require(known.contains(key), "unknown attribute '", key, "'");
  }
}

using Ids = std::map<std::string, TensorId>;

TensorId find(const Ids& ids, const std::string& name) {
  const auto found = ids.find(name);
  require(found != ids.end(), "unknown tensor '", name, "'");
  return found->second;
}

GraphTensor read_tensor(const Json& json, const TensorDict& constants) {
  GraphTensor tensor{.name = json.at("name").get<std::string>(),
                     .shape = json.at("shape").get<Shape>(),
                     .origin = origin_of(json.at("origin").get<std::string>()),
                     .value = {}};
  if (tensor.origin == Origin::input || tensor.origin == Origin::computed) return tensor;
  const auto value = constants.find(tensor.name);
  require(value != constants.end(), "no value for '", tensor.name, "'");
  require(value->second.sizes() == tensor.shape, "'", tensor.name, "' is ", value->second.sizes(),
          ", expected ", shape_text(tensor.shape));
  tensor.value = value->second;
  return tensor;
}

void read_node(Graph& graph, const Json& json, const Ids& ids, std::vector<bool>& ready) {
  Node node{.op = op_named(json.at("op").get<std::string>()),
            .name = json.at("name").get<std::string>(),
            .inputs = {},
            .output = find(ids, json.at("output").get<std::string>())};
  read_attributes(node.op, json.at("attributes"));
  for (const auto& name : json.at("inputs")) {
    node.inputs.push_back(find(ids, name.get<std::string>()));
    require(ready[node.inputs.back()], "'", node.name, "' reads '", name.get<std::string>(),
            "' before it is computed");
  }
  require(!node.inputs.empty() && !ready[node.output], "'", node.name,
          "' has no inputs, or its output is there already");
  ready[node.output] = true;
  graph.nodes.push_back(std::move(node));
}

Graph graph_of(const Json& json, const TensorDict& constants) {
  Graph graph;
  Ids ids;
  std::vector<bool> ready;
  for (const auto& item : json.at("tensors")) {
    graph.tensors.push_back(read_tensor(item, constants));
    const auto& tensor = graph.tensors.back();
    require(ids.emplace(tensor.name, ids.size()).second, "two tensors are named '", tensor.name,
            "'");
    ready.push_back(tensor.origin != Origin::computed);
  }
  for (const auto& name : json.at("inputs")) graph.inputs.push_back(find(ids, name));
  for (const auto& item : json.at("nodes")) read_node(graph, item, ids, ready);
  for (const auto& name : json.at("outputs")) {
    graph.outputs.push_back(find(ids, name));
    require(ready[graph.outputs.back()], "the output '", name.get<std::string>(),
            "' is never computed");
  }
  require(!graph.inputs.empty() && !graph.outputs.empty(), "no inputs or no outputs");
  return graph;
}

}  // namespace

std::string write_graph(const Graph& graph) {
  const auto names = [&](const std::vector<TensorId>& ids) {
    Json all = Json::array();
    for (const auto id : ids) all.push_back(graph.tensor(id).name);
    return all;
  };
  Json tensors = Json::array(), nodes = Json::array();
  for (const auto& tensor : graph.tensors) {
    tensors.push_back(
        {{"name", tensor.name}, {"shape", tensor.shape}, {"origin", origin_name(tensor.origin)}});
  }
  for (const auto& node : graph.nodes) {
    nodes.push_back({{"op", node.op_name()},
                     {"name", node.name},
                     {"inputs", names(node.inputs)},
                     {"output", graph.tensor(node.output).name},
                     {"attributes", attributes_json(node.op)}});
  }
  return Json{{"inputs", names(graph.inputs)},
              {"outputs", names(graph.outputs)},
              {"tensors", std::move(tensors)},
              {"nodes", std::move(nodes)}}
      .dump();
}

Graph read_graph(const std::string& text, const TensorDict& constants,
                 const std::string& origin) try {
  return graph_of(Json::parse(text), constants);
} catch (const Json::exception& problem) {
  fail(origin, ": the graph in the metadata is broken: ", problem.what());
} catch (const Error& problem) {
  fail(origin, ": the graph in the metadata is broken: ", problem.what());
}

TensorDict graph_constants(const Graph& graph) {
  TensorDict constants;
  for (const auto& tensor : graph.tensors) {
    if (tensor.is_constant()) constants[tensor.name] = tensor.value;
  }
  return constants;
}

}  // namespace plateforge
