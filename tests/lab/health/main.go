// Command health says what the tools that apply resources from Git make of them.
//
// It reads a JSON list of objects on standard input, and the path of Argo CD's health script as its argument. It writes
// a JSON list: of each object the status that kstatus computes (Flux waits by it) and the health that the script returns.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type said struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

type answer struct {
	Kstatus said `json:"kstatus"`
	Argo    said `json:"argo"`
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(path string) error {
	script, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var objects []map[string]any
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		return err
	}
	answers := make([]answer, len(objects))
	for at, object := range objects {
		computed, err := status.Compute(&unstructured.Unstructured{Object: integers(object).(map[string]any)})
		if err != nil {
			return fmt.Errorf("object %d: kstatus: %w", at, err)
		}
		health, err := argo(string(script), object)
		if err != nil {
			return fmt.Errorf("object %d: %s: %w", at, path, err)
		}
		answers[at] = answer{said{string(computed.Status), computed.Message}, health}
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

// integers makes whole numbers int64, as a client of Kubernetes has them.
func integers(value any) any {
	switch typed := value.(type) {
	case map[string]any:
		for key, each := range typed {
			typed[key] = integers(each)
		}
	case []any:
		for at, each := range typed {
			typed[at] = integers(each)
		}
	case float64:
		if typed == float64(int64(typed)) {
			return int64(typed)
		}
	}
	return value
}

// argo runs a health script as Argo CD does (util/lua/lua.go): in gopher-lua, with the object as the global obj, at
// most a second long, and of the libraries only base, package and table, unless useOpenLibs is set.
func argo(script string, object map[string]any) (said, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	libraries := map[string]lua.LGFunction{lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable}
	for name, open := range libraries {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return said{}, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", luaValue(state, object))
	if err := state.DoString(script); err != nil {
		return said{}, err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return said{}, fmt.Errorf("it returned no table but %s", state.Get(-1).Type())
	}
	return said{lua.LVAsString(table.RawGetString("status")), lua.LVAsString(table.RawGetString("message"))}, nil
}

func luaValue(state *lua.LState, value any) lua.LValue {
	switch typed := value.(type) {
	case bool:
		return lua.LBool(typed)
	case int64:
		return lua.LNumber(typed)
	case float64:
		return lua.LNumber(typed)
	case string:
		return lua.LString(typed)
	case []any:
		table := state.CreateTable(len(typed), 0)
		for _, each := range typed {
			table.Append(luaValue(state, each))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(typed))
		for key, each := range typed {
			table.RawSetString(key, luaValue(state, each))
		}
		return table
	default:
		return lua.LNil
	}
}
