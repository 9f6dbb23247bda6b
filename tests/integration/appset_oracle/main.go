// Program appset-oracle answers, for the differential test, what Argo CD's own code makes of an ApplicationSet.
//
// It reads one JSON request per line and writes one JSON answer per line. Requests: {"set": ApplicationSet} gives
// {"applications": [...]}, {"text", "params", "goTemplate", "options"} gives {"text"}; a failure gives {"error"}.
// With the argument "fields" it prints the typed fields of an Application instead.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/argoproj/argo-cd/v3/applicationset/controllers/template"
	"github.com/argoproj/argo-cd/v3/applicationset/generators"
	"github.com/argoproj/argo-cd/v3/applicationset/utils"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/argo"
	log "github.com/sirupsen/logrus"
)

type request struct {
	Set        json.RawMessage `json:"set"`
	Text       string          `json:"text"`
	Params     json.RawMessage `json:"params"`
	GoTemplate bool            `json:"goTemplate"`
	Options    []string        `json:"options"`
}

type answer struct {
	Applications []any   `json:"applications,omitempty"`
	Text         *string `json:"text,omitempty"`
	Error        string  `json:"error,omitempty"`
}

func main() {
	log.SetOutput(io.Discard)
	if len(os.Args) > 1 && os.Args[1] == "fields" {
		printFields()
		return
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<26)
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for lines.Scan() {
		if err := encoder.Encode(respond(lines.Bytes())); err != nil {
			panic(err)
		}
		_ = out.Flush()
	}
}

func respond(line []byte) (result answer) {
	defer func() {
		if cause := recover(); cause != nil {
			result = answer{Error: fmt.Sprintf("panic: %v", cause)}
		}
	}()
	var asked request
	if err := json.Unmarshal(line, &asked); err != nil {
		return answer{Error: err.Error()}
	}
	if asked.Set == nil {
		return replace(asked)
	}
	return generate(asked.Set)
}

func replace(asked request) answer {
	var params map[string]any
	if err := json.Unmarshal(asked.Params, &params); err != nil {
		return answer{Error: err.Error()}
	}
	text, err := (&utils.Render{}).Replace(asked.Text, params, asked.GoTemplate, asked.Options)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Text: &text}
}

func generate(data []byte) answer {
	var set v1alpha1.ApplicationSet
	if err := json.Unmarshal(data, &set); err != nil {
		return answer{Error: err.Error()}
	}
	if err := utils.CheckInvalidGenerators(&set); err != nil {
		return answer{Error: err.Error()}
	}
	known := map[string]generators.Generator{"List": generators.NewListGenerator()}
	apps, _, err := template.GenerateApplications(log.NewEntry(log.StandardLogger()), set, known, &utils.Render{}, nil)
	if err != nil {
		return answer{Error: err.Error()}
	}
	seen := map[string]bool{}
	result := []any{}
	for _, app := range apps {
		if seen[app.Name] {
			return answer{Error: "duplicate name: " + app.Name}
		}
		seen[app.Name] = true
		app.Spec = *argo.NormalizeApplicationSpec(&app.Spec)
		result = append(result, plain(app))
	}
	return answer{Applications: result}
}

// plain drops what the API server and the status subresource own.
func plain(app v1alpha1.Application) map[string]any {
	data, err := json.Marshal(app)
	if err != nil {
		panic(err)
	}
	var value map[string]any
	if err := json.Unmarshal(data, &value); err != nil {
		panic(err)
	}
	delete(value, "status")
	if meta, ok := value["metadata"].(map[string]any); ok {
		delete(meta, "creationTimestamp")
	}
	return value
}

// printFields writes "Type field kind optional patch" lines for everything reachable from an ApplicationSpec.
func printFields() {
	queue := []reflect.Type{reflect.TypeFor[v1alpha1.ApplicationSpec]()}
	seen := map[reflect.Type]bool{queue[0]: true}
	for len(queue) > 0 {
		current := queue[0]
		queue = queue[1:]
		for index := range current.NumField() {
			field := current.Field(index)
			tag := strings.Split(field.Tag.Get("json"), ",")
			optional := len(tag) > 1 && strings.Contains(strings.Join(tag[1:], ","), "omitempty")
			patch := field.Tag.Get("patchStrategy") + "/" + field.Tag.Get("patchMergeKey")
			fmt.Printf("%s\t%s\t%s\t%t\t%s\t%t\n", current.Name(), tag[0], field.Type, optional, patch, field.Anonymous)
			inner := field.Type
			for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice || inner.Kind() == reflect.Map {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct && strings.Contains(inner.PkgPath(), "argo-cd") && !seen[inner] {
				seen[inner] = true
				queue = append(queue, inner)
			}
		}
	}
}
